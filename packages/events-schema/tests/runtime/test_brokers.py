"""The flags of every command that connects to Kafka."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
import trustme
from pydantic import Field

from events_schema.runtime.brokers import KafkaSettings
from events_schema.runtime.command import read_settings
from events_schema.runtime.errors import UsageError

LOGIN = ("--sasl-mechanism", "PLAIN", "--sasl-username", "ann")


class PipeSettings(KafkaSettings):
    """Pipe records."""

    flag_group: ClassVar[str | None] = None

    pipe: str = Field(default="events", description="where to")


def settings(*arguments: str) -> PipeSettings:
    """The settings that these flags make."""
    return read_settings(PipeSettings, "pipe", arguments)


@pytest.mark.parametrize(
    ("given", "brokers"),
    [
        ("kafka", "kafka:9092"),
        ("kafka:9093", "kafka:9093"),
        ("a, b:1 ,10.0.0.1:65535", "a:9092,b:1,10.0.0.1:65535"),
        ("broker_1.kafka-net.", "broker_1.kafka-net.:9092"),
        ("[::1]:9093", "[::1]:9093"),
        ("[fe80::1%eth0]", "[fe80::1%eth0]:9092"),
        ("[2001:db8::1]", "[2001:db8::1]:9092"),
    ],
)
def test_every_broker_has_a_port(given: str, brokers: str) -> None:
    """An address without a port gets 9092; the others keep theirs."""
    assert settings("--brokers", given).brokers == brokers


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ("", "''"),
        ("a b", "'a b'"),
        ("a:0", "'a:0'"),
        ("a:70000", "'a:70000'"),
        ("a,,b", "''"),
        ("::1", "'::1'"),
        ("a..b:9092", r"'a\.\.b:9092'"),
        ("a" * 64, f"'{'a' * 64}'"),
        ("kafk\u00e4:9092", "'kafk\u00e4:9092'"),
        ("a,kafka://b:9092", "'kafka://b:9092'"),
    ],
)
def test_what_is_not_an_address_is_refused(given: str, refused: str) -> None:
    """The error names the flag, the expected form and the one address that lacks it."""
    with pytest.raises(UsageError, match=rf"^--brokers: expected host:port, .*, not {refused}$"):
        settings("--brokers", given)


@pytest.mark.parametrize(
    ("flags", "protocol"),
    [
        ((), "PLAINTEXT"),
        (("--kafka-tls",), "SSL"),
        ((*LOGIN, "--sasl-password", "secret"), "SASL_PLAINTEXT"),
        ((*LOGIN, "--sasl-password", "secret", "--kafka-tls"), "SASL_SSL"),
    ],
)
def test_tls_and_a_login_make_the_protocol(flags: tuple[str, ...], protocol: str) -> None:
    """Each combination of TLS and a login has its own name in Kafka."""
    assert settings(*flags).security_protocol == protocol


def test_the_password_comes_from_the_flag_or_its_file(tmp_path: Path) -> None:
    """Both give the same password, a file without its line end; without a login there is none."""
    file = tmp_path / "password"
    file.write_text("two words\n")
    assert settings(*LOGIN, "--sasl-password", "two words").password() == "two words"
    assert settings(*LOGIN, "--sasl-password-file", str(file)).password() == "two words"
    assert settings().password() is None


@pytest.mark.parametrize(
    "flags",
    [
        LOGIN,
        LOGIN[:2],
        LOGIN[2:],
        ("--sasl-password", "secret"),
        (*LOGIN, "--sasl-password", "secret", "--sasl-password-file", "password"),
    ],
)
def test_half_a_login_is_refused(flags: tuple[str, ...]) -> None:
    """A mechanism, a user and exactly one password go together, and the error lists them."""
    with pytest.raises(UsageError, match="--sasl-mechanism, --sasl-username and one of"):
        settings(*flags)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--kafka-ca-file", "ca.pem"), "need --kafka-tls"),
        (("--kafka-tls", "--kafka-key-file", "key.pem"), "--kafka-certificate-file and"),
        (("--kafka-tls", "--kafka-certificate-file", "own.pem"), "--kafka-certificate-file and"),
    ],
)
def test_half_of_tls_is_refused(flags: tuple[str, ...], expected: str) -> None:
    """Files need TLS, and a certificate needs its key; the error names the missing flag."""
    with pytest.raises(UsageError, match=expected):
        settings(*flags)


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    """The error names the file and when it expired, because Kafka would not say why it refuses."""
    own = trustme.CA().issue_cert("me", not_after=datetime(2020, 1, 2, tzinfo=UTC))
    file = tmp_path / "own.pem"
    own.private_key_and_cert_chain_pem.write_to_path(file)
    flags = ("--kafka-certificate-file", str(file), "--kafka-key-file", str(file))
    with pytest.raises(UsageError, match=r"own\.pem has expired \(Jan  2 00:00:00 2020 GMT\)"):
        settings("--kafka-tls", *flags).tls_context()
