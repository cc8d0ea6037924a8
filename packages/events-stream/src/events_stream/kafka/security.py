"""The TLS and SASL settings of Kafka's Java client, from the flags that all commands share."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from events_schema.runtime.brokers import KafkaSettings
from events_schema.runtime.errors import UsageError

_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
_PKCS8 = "-----BEGIN PRIVATE KEY-----"


def client_security(settings: KafkaSettings) -> Mapping[str, str]:
    """Return the settings of Kafka's Java client for TLS and SASL; empty for a plain Kafka.

    Certificates and keys are passed as text, because Kafka expects both in one file. Raises
    `UsageError` for unusable files.
    """
    settings.tls_context()  # refuses unusable files with the same messages as the other commands
    options = {"security.protocol": settings.security_protocol} if _is_secured(settings) else {}
    if settings.kafka_ca_file:
        options["ssl.truststore.type"] = "PEM"
        options["ssl.truststore.certificates"] = _read(settings.kafka_ca_file)
    if settings.kafka_certificate_file and settings.kafka_key_file:
        options["ssl.keystore.type"] = "PEM"
        options["ssl.keystore.certificate.chain"] = _read(settings.kafka_certificate_file)
        options["ssl.keystore.key"] = _read_key(settings.kafka_key_file)
    if settings.sasl_mechanism:
        options["sasl.mechanism"] = settings.sasl_mechanism
        options["sasl.jaas.config"] = (
            f"{_LOGIN_MODULES[settings.sasl_mechanism]} required "
            f"username={_quoted(settings.sasl_username)} password={_quoted(settings.password())};"
        )
    return options


def _is_secured(settings: KafkaSettings) -> bool:
    return settings.kafka_tls or settings.sasl_mechanism is not None


def _read(path: Path) -> str:
    return path.read_text("utf-8", "replace")


def _read_key(path: Path) -> str:
    key = _read(path)
    if _PKCS8 not in key:
        raise UsageError(
            f"--kafka-key-file: {path} is not in PKCS #8 format, which Kafka's Java client needs; "
            f"convert it with: openssl pkcs8 -topk8 -nocrypt"
        )
    return key


def _quoted(text: str | None) -> str:
    """Return `text` quoted for JAAS. Raises `UsageError` for control characters."""
    if text is None or any(unicodedata.category(each) == "Cc" for each in text):
        raise UsageError(
            "--sasl-username or the password contains a control character, which Kafka's Java "
            "client cannot read; use another user name or password"
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
