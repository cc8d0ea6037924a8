"""The settings that say which Kafka, and as whom."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from aiokafka.conn import collect_hosts
from aiokafka.helpers import create_ssl_context
from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from events_schema.runtime.command import CommandSettings
from events_schema.runtime.errors import UsageError


def _check_brokers(value: str) -> str:
    try:
        usable = all(0 < port < 2**16 and host for host, port, _ in collect_hosts(value))
    except ValueError:
        usable = False
    if not usable:
        raise PydanticCustomError("brokers", "expected host:port, several with commas between them")
    return value


Brokers = Annotated[str, AfterValidator(_check_brokers)]


class KafkaSettings(CommandSettings):
    """Which Kafka to connect to, and how."""

    brokers: Brokers = Field("localhost:9092", description="Kafka's address, host:port,...")
    topic: str = Field(
        "events",
        description="the topic to write, created where it is missing",
        pattern=r"^[a-zA-Z0-9._-]{1,249}$",
    )
    kafka_tls: bool = Field(False, description="connect to Kafka by TLS")
    kafka_ca_file: Path | None = Field(
        None, description="the authorities that Kafka's certificate may come from, in PEM"
    )
    kafka_certificate_file: Path | None = Field(
        None, description="the certificate to show to Kafka, in PEM"
    )
    kafka_key_file: Path | None = Field(
        None, description="the private key of that certificate, in PEM, not encrypted"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how to log in to Kafka (default: not at all)"
    )
    sasl_username: str | None = Field(None, description="the user to log in as", min_length=1)
    sasl_password: SecretStr | None = Field(
        None, description="the user's password (shows in ps: see --sasl-password-file)", repr=False
    )
    sasl_password_file: Path | None = Field(None, description="a file that holds the password")

    @model_validator(mode="after")
    def _check_tls_and_sasl(self) -> KafkaSettings:
        files = (self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file)
        if any(files) and not self.kafka_tls:
            raise PydanticCustomError("tls", "files for TLS are given; give --kafka-tls too")
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

    def client_options(self) -> Mapping[str, Any]:
        """Return the options for aiokafka's clients. Raises `UsageError` for unusable files."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.brokers,
            "security_protocol": ("SASL_" if self.sasl_mechanism else "")
            + ("SSL" if self.kafka_tls else "PLAINTEXT"),
        }
        if self.kafka_tls:
            options["ssl_context"] = self._ssl_context()
        if self.sasl_mechanism:
            # At its lowest level this one writes requests, logins among them, as they are.
            logging.getLogger("aiokafka.conn").setLevel(logging.INFO)
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self._password(),
            }
        return options

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context: ssl.SSLContext = create_ssl_context(
                cafile=self.kafka_ca_file,
                certfile=self.kafka_certificate_file,
                keyfile=self.kafka_key_file,
                password="",  # an encrypted key is refused rather than asked for on a terminal
            )
        except OSError as error:  # ssl.SSLError is one
            raise UsageError(
                f"the files for TLS to Kafka cannot be used: {error.strerror or error}; "
                "give PEM files"
            ) from None
        return context

    def _password(self) -> str:
        if self.sasl_password is not None:
            return self.sasl_password.get_secret_value()
        assert self.sasl_password_file is not None  # noqa: S101  # validated
        return read_secret("--sasl-password-file", self.sasl_password_file)


def read_secret(flag: str, path: Path) -> str:
    """Return the one secret in the file `path`, which `flag` names. Raises `UsageError`."""
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{flag}: cannot read {path}: {reason}; give a file of one line") from None
    if not secret or "\n" in secret:
        raise UsageError(f"{flag}: {path} does not hold one line; give a file of one line")
    return secret
