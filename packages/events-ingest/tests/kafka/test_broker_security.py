"""The collector with a Kafka that requires TLS and a login."""

from __future__ import annotations

import logging
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
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
from events_loadgen.processes.ports import free_port
from events_loadgen.processes.waiting import wait_until
from line_support.secured_kafka import (
    MECHANISMS,
    PASSWORD,
    USER,
    Secured,
    oauth,
    own_certificate,
    private_key,
)
from line_support.token_endpoint import CLIENT_SECRET
from line_support.topics import Topics

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


def token(secured: Secured, folder: Path, secret: str = CLIENT_SECRET) -> list[str]:
    """The flags that log in with a token."""
    file = folder / "options"
    file.write_text(oauth(secured.tokens, secret))
    return ["--kafka-options-file", str(file)]


def test_it_logs_in_with_a_token(secured: Secured, tmp_path: Path) -> None:
    """With the options for OAuth, which the stream takes too, events are acknowledged.

    It keeps the token, rather than asking for one for each connection.
    """
    (_, file), before = token(secured, tmp_path), secured.tokens.given
    with collector(secured, kafka_options_file=file, sasl_username=None) as client:
        assert_takes_events(client)
    assert secured.tokens.given == before + 1


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_while_it_runs_is_an_absence(
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
    assert "refused the login: unknown user or wrong password" in str(logs)
    assert WRONG_PASSWORD not in caplog.text + str(logs)


def test_a_right_that_is_taken_away_is_an_absence(secured: Secured) -> None:
    """The log says what to grant; with the right granted, events are acknowledged again."""
    topic = f"topic-{uuid.uuid4()}"
    login = {"sasl_mechanism": "PLAIN", "sasl_password": PASSWORD, "topic": topic}
    with capture_logs() as logs, collector(secured, **login) as client:
        assert_takes_events(client)
        secured.grant(topic, USER, "DESCRIBE")
        wait_until(
            lambda: client.post("/track", json=VALID).status_code == 503, "a refusal", seconds=60
        )
        assert_stays_away(client, logs)
        assert f"may not write topic '{topic}'" in str(logs)
        secured.grant(topic, USER, "WRITE")
        assert_takes_events(client)


Case = Callable[[Secured, Path], tuple[str, list[str]]]
"""Makes the brokers and the flags of a collector that Kafka refuses."""


def login(
    user: str = USER, password: str = PASSWORD, mechanism: str = "SCRAM-SHA-512"
) -> list[str]:
    """The flags of a login."""
    return ["--sasl-mechanism", mechanism, "--sasl-username", user, "--sasl-password", password]


def trust(secured: Secured) -> list[str]:
    """The flags that trust Kafka's authority."""
    return ["--kafka-tls", "--kafka-ca-file", str(secured.ca_file)]


def other_authority(folder: Path) -> str:
    """A file with an authority that nobody knows."""
    trustme.CA().cert_pem.write_to_path(folder / "other.pem")
    return str(folder / "other.pem")


REFUSED: dict[str, tuple[Case, str]] = {
    "wrong password": (
        lambda secured, _: (secured.login, [*trust(secured), *login(password=WRONG_PASSWORD)]),
        "refused the login: unknown user or wrong password",
    ),
    "unknown user": (
        lambda secured, _: (
            f"{secured.login},127.0.0.1:{free_port()}",  # aiokafka tries them in any order
            [*trust(secured), *login(user="nobody")],
        ),
        "refused the login: unknown user or wrong password",
    ),
    "mechanism": (
        lambda secured, _: (secured.limited, login()),
        "does not offer this login",
    ),
    "unknown authority": (
        lambda secured, folder: (
            secured.login,
            ["--kafka-tls", "--kafka-ca-file", other_authority(folder), *login()],
        ),
        "is not signed by a known authority",
    ),
    "expired": (lambda secured, _: (secured.expired, trust(secured)), "has expired"),
    "another host": (
        lambda secured, _: (secured.login.replace("127.0.0.1", "localhost"), trust(secured)),
        "is for another host",
    ),
    "no certificate": (
        lambda secured, _: (secured.mutual, trust(secured)),
        "refused this client's certificate",
    ),
    "unknown certificate": (
        lambda secured, folder: (
            secured.mutual,
            [*trust(secured), *own_certificate(trustme.CA(), folder)],
        ),
        "refused this client's certificate",
    ),
    "wrong secret": (
        lambda secured, folder: (
            secured.login,
            [*trust(secured), *token(secured, folder, WRONG_PASSWORD)],
        ),
        "token endpoint refused the client",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_ends_the_start(
    secured: Secured, tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each has its own line, without the password and the secret, and the exit code 2."""
    made, expected = REFUSED[case]
    brokers, flags = made(secured, tmp_path)
    error = refused_start(capsys, "--brokers", brokers, *flags)
    assert expected in error
    assert PASSWORD not in error
    assert WRONG_PASSWORD not in error


@pytest.mark.parametrize(("user", "operation"), [("other", "WRITE"), (USER, "DESCRIBE")])
def test_a_topic_that_it_may_not_write_ends_the_start(
    secured: Secured,
    user: str,
    operation: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whether or not it may see the topic, the error says what to grant, and no log precedes it."""
    topic = Topics(secured.plain).create()
    secured.grant(topic, user, operation)
    flags = ["--brokers", secured.login, "--topic", topic, *trust(secured), *login()]
    assert f"may not write topic '{topic}'" in refused_start(capsys, *flags)
    assert caplog.text == ""


def refused_start(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """The one line of `serve`, which exits with 2 although nothing else listens on its port."""
    assert main(["serve", "--allow-anonymous", "--port", "0", *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("what", ["dead", "other protocol"])
def test_an_absence_is_no_refusal(secured: Secured, what: str) -> None:
    """Kafka may come back, so the collector waits for it, and the log says what it found."""
    brokers = f"127.0.0.1:{free_port()}" if what == "dead" else secured.login
    expected = "connection refused" if what == "dead" else "check that --kafka-tls"
    given = {"brokers": brokers, "sasl_username": None, "kafka_tls": False, "kafka_ca_file": None}
    with capture_logs() as logs, collector(secured, **given) as client:
        assert_stays_away(client, logs)
    assert expected in str(logs)


def test_a_dead_token_endpoint_is_an_absence(secured: Secured, tmp_path: Path) -> None:
    """The log says which endpoint does not answer."""
    file = tmp_path / "options"
    file.write_text(oauth(replace(secured.tokens, url=f"http://127.0.0.1:{free_port()}/token")))
    given = {"kafka_options_file": file, "sasl_username": None}
    with capture_logs() as logs, collector(secured, **given) as client:
        assert_stays_away(client, logs)
    assert "the token endpoint does not answer" in str(logs)


def test_an_option_that_it_cannot_follow_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """An option of Kafka's Java client is not ignored; its value does not show."""
    options = ["--kafka-option", "sasl.mechanism=AWS_MSK_IAM"]
    assert "the collector cannot log in with these" in refusal(capsys, *options)
    error = refusal(capsys, "--kafka-option", f"client.rack={PASSWORD}")
    assert "Kafka option client.rack is one of Kafka's Java client" in error
    assert PASSWORD not in error


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
    """A CA file that is missing or has no certificates ends the command with 2, and is named."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    error = refusal(capsys, "--kafka-tls", "--kafka-ca-file", str(file))
    assert f"--kafka-ca-file: cannot use {file}: " in error
    assert "; give certificates in PEM" in error


@pytest.mark.parametrize("kind", ["missing", "of another certificate", "encrypted"])
def test_an_unusable_key_is_refused_in_one_line(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that is missing, does not match or is encrypted ends the command with 2.

    The error names the key, or the certificate if that is the unusable one.
    """
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
    assert f"--kafka-key-file: cannot use {key}: " in refusal(capsys, "--kafka-tls", *flags)
    certificate.write_text("not PEM")
    error = refusal(capsys, "--kafka-tls", *flags)
    assert f"--kafka-certificate-file: cannot use {certificate}: unexpected content" in error


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
