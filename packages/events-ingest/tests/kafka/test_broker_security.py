"""The collector with a Kafka that requires TLS and a login."""

from __future__ import annotations

import logging
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs
from structlog.typing import EventDict

from events_ingest import CollectorServer, ServeSettings
from events_ingest.cli import main
from events_ingest.kafka.clients import client_options
from events_loadgen.processes.waiting import wait_until
from line_support.secured_kafka import MECHANISMS, PASSWORD, USER, Secured, private_key

VALID = {"user_id": 1, "app_name": "shop", "event_category": "product"}
WRONG_PASSWORD = "wrong-horse-battery"
LOGIN = ["--sasl-mechanism", "PLAIN", "--sasl-username", USER]


@contextmanager
def collector(secured: Secured, **changes: Any) -> Iterator[httpx.Client]:
    """A client of an in-process collector that connects with TLS and logs in."""
    given = {
        "brokers": secured.login,
        "topic": f"topic-{uuid.uuid4()}",
        "kafka_tls": True,
        "kafka_ca_file": secured.ca_file,
        "sasl_username": USER,
        "allow_anonymous": True,
        "port": 0,
    }
    server = CollectorServer(ServeSettings(**{**given, **changes}))
    with server.in_thread() as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def assert_takes_events(client: httpx.Client) -> None:
    """The collector becomes ready and acknowledges an event."""
    wait_until(lambda: client.get("/readyz").status_code == 200, "a ready collector", seconds=60)
    response = client.post("/track", json=VALID)
    assert response.status_code == 200, response.text


def assert_stays_away(client: httpx.Client, logs: list[EventDict]) -> None:
    """The collector reports that Kafka is unavailable, and accepts no event."""

    def said() -> bool:
        return "broker unreachable" in [each["event"] for each in tuple(logs)]

    wait_until(said, "a log line", seconds=60)
    assert client.get("/readyz").status_code == 503
    refused = client.post("/track", json=VALID)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "broker_unavailable"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_it_logs_in_by_tls(
    secured: Secured, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the right CA and password, events are acknowledged; the password is not logged."""
    caplog.set_level(logging.DEBUG)
    with (
        capture_logs() as logs,
        collector(secured, sasl_mechanism=mechanism, sasl_password=PASSWORD) as client,
    ):
        assert_takes_events(client)
    assert PASSWORD not in caplog.text + str(logs)


def test_the_password_may_lie_in_a_file(secured: Secured, tmp_path: Path) -> None:
    """The password file may end with a line feed."""
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    with collector(secured, sasl_mechanism="PLAIN", sasl_password_file=file) as client:
        assert_takes_events(client)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_an_absence(
    secured: Secured, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    """If Kafka refuses the login, the answer is 503 and the log has a line without the password."""
    caplog.set_level(logging.DEBUG)
    with (
        capture_logs() as logs,
        collector(secured, sasl_mechanism=mechanism, sasl_password=WRONG_PASSWORD) as client,
    ):
        assert_stays_away(client, logs)
    assert "broker reachable" not in [each["event"] for each in logs]
    assert WRONG_PASSWORD not in caplog.text + str(logs)


def test_an_unknown_authority_is_an_absence(
    secured: Secured, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If another CA signed Kafka's certificate, the answer is 503 and the log has a line."""
    caplog.set_level(logging.DEBUG)
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    login = {"sasl_mechanism": "PLAIN", "sasl_password": PASSWORD}
    with capture_logs() as logs, collector(secured, kafka_ca_file=other, **login) as client:
        assert_stays_away(client, logs)
    assert "broker reachable" not in [each["event"] for each in logs]
    assert PASSWORD not in caplog.text + str(logs)


def test_a_certificate_of_another_host_is_an_absence(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    """A certificate of the right CA must also be for the requested host."""
    brokers = secured.login.replace("127.0.0.1", "localhost")
    login = {"sasl_mechanism": "PLAIN", "sasl_password": PASSWORD}
    with capture_logs() as logs, collector(secured, brokers=brokers, **login) as client:
        assert_stays_away(client, logs)
    assert "Hostname mismatch" in caplog.text


def test_it_shows_its_certificate(secured: Secured, tmp_path: Path) -> None:
    """A client certificate of Kafka's CA replaces the login; without it, Kafka is unavailable."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    own = secured.authority.issue_cert("collector")
    own.cert_chain_pems[0].write_to_path(certificate)
    own.private_key_pem.write_to_path(key)
    given = {"brokers": secured.mutual, "sasl_username": None}
    with collector(
        secured, kafka_certificate_file=certificate, kafka_key_file=key, **given
    ) as client:
        assert_takes_events(client)
    with capture_logs() as logs, collector(secured, **given) as client:
        assert_stays_away(client, logs)


def refusal(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """The one error line of `serve`, which exits with 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:  # so that it never serves
        port = str(taken.getsockname()[1])
        assert main(["serve", "--allow-anonymous", "--port", port, *flags]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    "flags",
    [
        ["--kafka-ca-file", "ca.pem"],
        ["--kafka-certificate-file", "a.pem", "--kafka-key-file", "b.pem"],
        ["--kafka-tls", "--kafka-certificate-file", "a.pem"],
        ["--kafka-tls", "--kafka-key-file", "b.pem"],
        ["--sasl-mechanism", "PLAIN"],
        LOGIN,
        ["--sasl-mechanism", "PLAIN", "--sasl-password", PASSWORD],
        ["--sasl-username", USER],
        ["--sasl-password", PASSWORD],
        ["--sasl-password-file", "password"],
        ["--sasl-username", USER, "--sasl-password", PASSWORD],
        [*LOGIN, "--sasl-password", PASSWORD, "--sasl-password-file", "password"],
        ["--sasl-mechanism", "GSSAPI", "--sasl-username", USER, "--sasl-password", PASSWORD],
        ["--sasl-mechanism", "PLAIN", "--sasl-username", "", "--sasl-password", PASSWORD],
    ],
)
def test_inconsistent_flags_are_refused_in_one_line(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Flags that do not go together end the command with 2 and one line without the password."""
    error = refusal(capsys, *flags)
    assert "--kafka-" in error or "--sasl-" in error
    assert PASSWORD not in error


@pytest.mark.parametrize("content", [None, b"", b"not PEM\n", b"\xff\xfe", b"one\ntwo\n"])
def test_an_unusable_authority_is_refused_in_one_line(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CA file that is missing or has no certificates ends the command with 2."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    assert "PEM" in refusal(capsys, "--kafka-tls", "--kafka-ca-file", str(file))


@pytest.mark.parametrize("kind", ["missing", "of another certificate", "encrypted"])
def test_an_unusable_key_is_refused_in_one_line(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that is missing, does not match or is encrypted ends the command with 2."""
    authority = trustme.CA()
    own, other = (authority.issue_cert("collector") for _ in range(2))
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    own.cert_chain_pems[0].write_to_path(certificate)
    if kind == "encrypted":
        encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
        key.write_bytes(private_key(own.private_key_pem.bytes(), encryption))
    elif kind == "of another certificate":
        other.private_key_pem.write_to_path(key)
    flags = ("--kafka-certificate-file", str(certificate), "--kafka-key-file", str(key))
    assert "PEM" in refusal(capsys, "--kafka-tls", *flags)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"one\ntwo\n"])
def test_an_unusable_password_file_is_refused_in_one_line(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A password file that is missing or does not have exactly one line ends the command with 2."""
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    error = refusal(capsys, *LOGIN, "--sasl-password-file", str(file))
    assert "--sasl-password-file" in error


def test_the_password_does_not_show() -> None:
    """The settings hide the password in all their texts, and give it only to Kafka's client."""
    settings = ServeSettings(
        sasl_mechanism="PLAIN", sasl_username=USER, sasl_password=PASSWORD, allow_anonymous=True
    )
    assert PASSWORD not in repr(settings) + str(settings) + settings.model_dump_json()
    assert client_options(settings)["sasl_plain_password"] == PASSWORD
