"""Kafka's brokers: which ones, as whom, and how long an acknowledgement may take."""

from __future__ import annotations

import _ssl
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from events_schema.runtime.command import CommandSettings, Flag
from events_schema.runtime.errors import UsageError
from events_schema.runtime.flags import Seconds, matching, read_secret
from events_schema.runtime.kafka_options import KafkaOptions, read_options

DEFAULT_PORT = 9092
ACK_TIMEOUT_SECONDS = 10.0
"""How long an acknowledgement may take by default."""

PASSWORD_LOGINS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
"""The mechanisms that have flags."""
_FLAGS = {
    "bootstrap.servers": "--brokers",
    "security.protocol": "--kafka-tls, --sasl-mechanism or both",
}

_LABEL = "[a-zA-Z0-9_-]{1,63}"
_BROKER = re.compile(
    rf"(?P<host>{_LABEL}(\.{_LABEL})*\.?|\[[0-9a-fA-F:.]+(%[a-zA-Z0-9]+)?\])(:(?P<port>[0-9]{{1,5}}))?"
)


def _check_brokers(value: str) -> str:
    """Return the addresses, each with its port: Kafka's Java client knows no default."""
    return ",".join(_check_broker(each.strip()) for each in value.split(","))


def _check_broker(address: str) -> str:
    match = _BROKER.fullmatch(address)
    port = int(match["port"] or DEFAULT_PORT) if match else 0
    if match is None or not 0 < port < 2**16:
        raise PydanticCustomError(
            "brokers",
            "expected host:port, several with commas between them, not {address}",
            {"address": repr(address)},
        )
    return f"{match['host']}:{port}"


Brokers = Annotated[str, AfterValidator(_check_brokers), Flag("HOST:PORT[,...]")]
"""`host:port`, several with commas between them; the port is 9092 if left out."""

TopicName = Annotated[
    str,
    matching(r"[a-zA-Z0-9._-]{1,249}", "1 to 249 letters, digits, dots, dashes or underscores"),
    Flag("TOPIC"),
]

BROKERS = Field(
    default="localhost:9092", description="Kafka's brokers; the port is 9092 if left out"
)
"""For a command that lists `--brokers` among its first flags."""


class KafkaSettings(CommandSettings):
    """Which Kafka to connect to, and how: the same flags for every command that does."""

    flag_group: ClassVar[str | None] = "Kafka"

    brokers: Brokers = BROKERS
    ack_timeout: Seconds = Field(
        default=ACK_TIMEOUT_SECONDS,
        description="how long the collector waits for Kafka to acknowledge an event; use the same "
        "value for the collector and the stream",
        ge=0.1,
        le=3600,
    )
    kafka_tls: bool = Field(default=False, description="connect to Kafka over TLS")
    kafka_ca_file: Annotated[Path | None, Flag(default="the system's authorities")] = Field(
        default=None, description="the authorities that may sign Kafka's certificate, in PEM"
    )
    kafka_certificate_file: Path | None = Field(
        default=None, description="the certificate to show to Kafka, in PEM"
    )
    kafka_key_file: Path | None = Field(
        default=None,
        description="the private key of that certificate, in PEM, unencrypted; the stream needs "
        "PKCS #8",
    )
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None, Flag(default="no login")
    ] = Field(default=None, description="how to log in to Kafka")
    sasl_username: Annotated[str | None, Flag("NAME")] = Field(
        default=None, description="the user to log in as", min_length=1
    )
    sasl_password: SecretStr | None = Field(
        default=None,
        description="the user's password; visible in the process list, so prefer "
        "--sasl-password-file",
        repr=False,
    )
    sasl_password_file: Path | None = Field(
        default=None, description="a file that holds the password"
    )
    kafka_option: KafkaOptions = Field(
        default=(),
        description="an option of Kafka's Java client that has no flag, such as "
        "sasl.mechanism=OAUTHBEARER; repeatable, and visible in the process list, so prefer "
        "--kafka-options-file for secrets",
        repr=False,
    )
    kafka_options_file: Path | None = Field(
        default=None, description="a file of such options, one per line; # begins a comment"
    )

    @model_validator(mode="after")
    def _check_tls_and_sasl(self) -> KafkaSettings:
        files = (self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file)
        if any(files) and not self.kafka_tls:
            raise PydanticCustomError("tls", "TLS files need --kafka-tls; give it too")
        if (self.kafka_certificate_file is None) != (self.kafka_key_file is None):
            raise PydanticCustomError(
                "tls", "--kafka-certificate-file and --kafka-key-file go together"
            )
        passwords = [self.sasl_password, self.sasl_password_file]
        logs_in = self.sasl_mechanism is not None
        if logs_in != (self.sasl_username is not None) or passwords.count(None) != 2 - logs_in:
            raise PydanticCustomError(
                "sasl",
                "--sasl-mechanism, --sasl-username and one of --sasl-password and "
                "--sasl-password-file go together",
            )
        return self

    @property
    def security_protocol(self) -> str:
        """Kafka's name of the protocol: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.

        Raises the errors of `options`.
        """
        login = "SASL_" if self.mechanism() else ""
        return login + ("SSL" if self.kafka_tls else "PLAINTEXT")

    def mechanism(self) -> str | None:
        """Return how to log in, from the flag or the options. Raises the errors of `options`."""
        return self.sasl_mechanism or self.options().get("sasl.mechanism")

    def options(self) -> Mapping[str, str]:
        """Return the options from `--kafka-option` and `--kafka-options-file`.

        Raises `UsageError` for a file that cannot be used, and for options that contradict a flag
        or need one.
        """
        return self._options

    @cached_property
    def _options(self) -> Mapping[str, str]:
        # Read once: it may be a pipe, and all clients must use the same.
        options = read_options(self.kafka_option, self.kafka_options_file)
        for name, flag in self._flags_of(options):
            raise UsageError(f"Kafka option {name} has a flag; give {flag} instead")
        for name, flag in self._needed_by(options):
            raise UsageError(f"Kafka option {name} needs {flag}; give it too")
        return options

    def _flags_of(self, options: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the options that a flag sets, each with the flag."""
        for name, value in options.items():
            if name in _FLAGS:
                yield name, _FLAGS[name]
            elif name == "sasl.mechanism" and (
                self.sasl_mechanism or value in ("", *PASSWORD_LOGINS)
            ):
                yield name, "--sasl-mechanism"
            elif name == "sasl.jaas.config" and self.sasl_mechanism:
                yield name, "--sasl-username and --sasl-password-file"
            elif name.startswith("ssl.truststore.") and self.kafka_ca_file:
                yield name, "--kafka-ca-file"
            elif name.startswith(("ssl.key.", "ssl.keystore.")) and self.kafka_certificate_file:
                yield name, "--kafka-certificate-file and --kafka-key-file"

    def _needed_by(self, options: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the options that have no effect without a flag, each with the flag."""
        logs_in = self.sasl_mechanism or "sasl.mechanism" in options
        for name in options:
            if name.startswith("ssl.") and not self.kafka_tls:
                yield name, "--kafka-tls"
            elif name.startswith("sasl.") and not logs_in:
                yield name, "the option sasl.mechanism"

    def password(self) -> str | None:
        """Return the password, from its file if one is given. Raises `UsageError`."""
        return self._password

    @cached_property
    def _password(self) -> str | None:
        if self.sasl_password_file is not None:
            return read_secret("--sasl-password-file", self.sasl_password_file)
        return self.sasl_password.get_secret_value() if self.sasl_password else None

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the context for TLS, None without TLS. Raises `UsageError` for unusable files.

        A certificate for another host name is refused. Without `--kafka-ca-file` the system's
        authorities are trusted.
        """
        if not self.kafka_tls:
            return None
        with _using("--kafka-ca-file", self.kafka_ca_file, "certificates"):
            context = ssl.create_default_context(cafile=self.kafka_ca_file)
        if self.kafka_certificate_file is not None:
            _check_certificate(self.kafka_certificate_file)
            with _using(
                "--kafka-key-file", self.kafka_key_file, "the certificate's unencrypted private key"
            ):
                # With a password, an encrypted key is refused rather than asked for on a terminal.
                context.load_cert_chain(self.kafka_certificate_file, self.kafka_key_file, "")
        return context


@contextmanager
def _using(flag: str, path: Path | None, expected: str) -> Iterator[None]:
    """Raise `UsageError`, which names the file, if it cannot be read, or then be used for TLS."""
    try:
        if path is not None:
            path.read_bytes()
        yield
    except OSError as error:  # ssl.SSLError is one
        reason = "unexpected content" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(f"{flag}: cannot use {path}: {reason}; give {expected} in PEM") from None


def _check_certificate(certificate: Path) -> None:
    """Raise `UsageError` if the certificate has expired: Kafka does not say why it refuses one."""
    with _using("--kafka-certificate-file", certificate, "a certificate"):
        decoded = _ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined]  # noqa: SLF001  # no public way
    end = str(decoded["notAfter"])
    if ssl.cert_time_to_seconds(end) < time.time():
        raise UsageError(
            f"--kafka-certificate-file: {certificate} has expired ({end}); give a valid one"
        )
