"""The settings of Kafka's Java client, from the flags that all commands share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from events_schema.runtime.brokers import KafkaSettings
from events_schema.runtime.errors import UsageError
from events_schema.runtime.kafka_options import (
    CLIENT_ID,
    CLIENT_SECRET,
    OAUTHBEARER,
    SCOPE,
    TOKEN_URL,
    ClientCredentials,
    check_token_url,
)

_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
_OAUTH = "org.apache.kafka.common.security.oauthbearer"
_OAUTH_DEFAULTS = {
    "sasl.login.callback.handler.class": f"{_OAUTH}.OAuthBearerLoginCallbackHandler",
    # By default, Kafka's client waits forever for a token endpoint that accepts connections.
    "sasl.login.connect.timeout.ms": "5000",
    "sasl.login.read.timeout.ms": "5000",
}
_OWNED = {
    "auto.offset.reset",
    "default.api.timeout.ms",
    "enable.auto.commit",
    "interceptor.classes",
    "isolation.level",
    "key.deserializer",
    "request.timeout.ms",
    "value.deserializer",
}
"""What the stream or Spark sets, and where a batch's records depend on it."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_PKCS8 = "-----BEGIN PRIVATE KEY-----"


def client_security(settings: KafkaSettings) -> Mapping[str, str]:
    """Return the settings of Kafka's Java client from all flags; empty for a plain Kafka.

    Certificates and keys are passed as text, because Kafka expects both in one file. Raises
    `UsageError` for unusable files, and for options that the stream or Spark sets.
    """
    settings.tls_context()  # refuses unusable files with the same messages as the other commands
    options = _further_options(settings)
    if _is_secured(settings):
        options["security.protocol"] = settings.security_protocol
    if settings.kafka_ca_file:
        options["ssl.truststore.type"] = "PEM"
        options["ssl.truststore.certificates"] = _read(settings.kafka_ca_file)
    if settings.kafka_certificate_file and settings.kafka_key_file:
        options["ssl.keystore.type"] = "PEM"
        # Without a key that the file may have too: Kafka does not hide it here.
        chain = _CERTIFICATE.findall(_read(settings.kafka_certificate_file))
        options["ssl.keystore.certificate.chain"] = "\n".join(chain)
        options["ssl.keystore.key"] = _read_key(settings.kafka_key_file)
    if settings.sasl_mechanism:
        options["sasl.mechanism"] = settings.sasl_mechanism
        options["sasl.jaas.config"] = _jaas(
            _LOGIN_MODULES[settings.sasl_mechanism],
            "--sasl-username or the password",
            username=settings.sasl_username,
            password=settings.password(),
        )
    return options


def java_options(settings: KafkaSettings) -> list[str]:
    """Return the options of Java that Kafka's client needs: from where it may ask for tokens."""
    url = settings.options().get(TOKEN_URL)
    return [] if url is None else [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={url}"]


def _further_options(settings: KafkaSettings) -> dict[str, str]:
    """Return the options that have no flag, with an OAuth login as this client expects it."""
    options = dict(settings.options())
    for name in options:
        if name in _OWNED or name.startswith("group."):
            raise UsageError(f"Kafka option {name} is set by the stream; leave it out")
    if TOKEN_URL in options:
        check_token_url(options[TOKEN_URL])
    credentials = ClientCredentials.of(options)
    if credentials is None:
        return options
    if options["sasl.mechanism"] != OAUTHBEARER or "sasl.jaas.config" in options:
        raise UsageError(
            f"Kafka option {CLIENT_ID} needs sasl.mechanism={OAUTHBEARER}, and excludes "
            f"sasl.jaas.config; leave one out"
        )
    # Kafka's client knows these names from version 4.1 on; Spark's is older.
    for name in (CLIENT_ID, CLIENT_SECRET, SCOPE):
        options.pop(name, None)
    scope = {} if credentials.scope is None else {"scope": credentials.scope}
    options["sasl.jaas.config"] = _jaas(
        f"{_OAUTH}.OAuthBearerLoginModule",
        "a Kafka option of the OAuth login",
        clientId=credentials.client_id,
        clientSecret=credentials.client_secret,
        **scope,
    )
    return {**_OAUTH_DEFAULTS, **options}


def _is_secured(settings: KafkaSettings) -> bool:
    return settings.security_protocol != "PLAINTEXT"


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


def _jaas(module: str, source: str, **values: str | None) -> str:
    """Return a login in JAAS. Raises `UsageError`, which names `source`, for control characters."""
    words = [f"{name}={_quoted(value, source)}" for name, value in values.items()]
    return f"{module} required {' '.join(words)};"


def _quoted(text: str | None, source: str) -> str:
    if text is None or any(unicodedata.category(each) == "Cc" for each in text):
        raise UsageError(
            f"{source} contains a control character, which Kafka's Java client cannot read; use "
            f"another user name or password"
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
