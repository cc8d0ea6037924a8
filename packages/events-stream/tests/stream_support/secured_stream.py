"""The flags of streams that connect to a secured Kafka, and what they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trustme
from pyspark.sql import SparkSession

from events_stream.kafka.security import client_security, java_options
from events_stream.kafka.source import KafkaSource
from events_stream.settings import RunSettings
from line_support.secured_kafka import PASSWORD, USER, Secured, keystore, oauth
from line_support.token_endpoint import CLIENT_SECRET

LOGIN: dict[str, Any] = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": USER}


def login(secured: Secured, **changes: Any) -> dict[str, Any]:
    """The flags of a stream that uses TLS and SASL."""
    return {**trust(secured), **LOGIN, "sasl_password": PASSWORD, **changes}


def trust(secured: Secured) -> dict[str, Any]:
    """The flags of a stream that trusts Kafka's authority."""
    return {"kafka_tls": True, "kafka_ca_file": secured.ca_file}


def certificate(authority: trustme.CA, folder: Path) -> dict[str, Any]:
    """The flags of a stream that has a client certificate from `authority`."""
    file = keystore(folder / "own.pem", authority)
    return {"kafka_certificate_file": file, "kafka_key_file": file}


def token(secured: Secured, folder: Path, secret: str = CLIENT_SECRET) -> dict[str, Any]:
    """The flags of a stream that logs in with a token."""
    file = folder / "options"
    file.write_text(oauth(secured.tokens, secret))
    return {**trust(secured), "kafka_options_file": file}


def source(spark: SparkSession, brokers: str, topic: str, flags: dict[str, Any]) -> KafkaSource:
    """The topic as a stream with these flags reads it."""
    settings = RunSettings(brokers=brokers, **flags)
    allow_tokens(spark, settings)
    security = client_security(settings)
    return KafkaSource(spark, brokers, topic, max_records_per_batch=100, security=security)


def allow_tokens(spark: SparkSession, settings: RunSettings) -> None:
    """Set the Java options that the command sets when it starts Java."""
    jvm: Any = spark._jvm
    for option in java_options(settings):
        name, _, value = option.removeprefix("-D").partition("=")
        jvm.java.lang.System.setProperty(name, value)
