"""Options of aiokafka's clients, and starting and stopping them without leaking sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any

from aiokafka.errors import KafkaError

from events_ingest.kafka.tokens import TokenProvider
from events_schema.runtime.brokers import KafkaSettings
from events_schema.runtime.errors import UsageError
from events_schema.runtime.kafka_options import (
    CLIENT_ID,
    CLIENT_SECRET,
    OAUTHBEARER,
    SCOPE,
    TOKEN_URL,
    ClientCredentials,
)

_END_SECONDS = 5.0
_KNOWN = {"sasl.mechanism", TOKEN_URL, CLIENT_ID, CLIENT_SECRET, SCOPE}


def client_options(settings: KafkaSettings) -> Mapping[str, Any]:
    """Return the options for aiokafka's clients.

    Raises `UsageError` if a file is unusable, and for options that aiokafka does not have.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.brokers,
        "security_protocol": settings.security_protocol,
        **_token_login(settings.options()),
    }
    if settings.kafka_tls:
        options["ssl_context"] = settings.tls_context()
    if settings.sasl_mechanism:
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.password(),
        }
    if settings.mechanism():
        logging.getLogger("aiokafka.conn").addFilter(_without_requests)
    return options


def _without_requests(record: logging.LogRecord) -> bool:
    """Return whether to log it: at the DEBUG level, whole requests are, including passwords."""
    return record.levelno > logging.DEBUG


def _token_login(given: Mapping[str, str]) -> dict[str, Any]:
    """Return aiokafka's options for the options of Kafka's Java client that it can follow."""
    for name in given.keys() - _KNOWN:
        raise UsageError(
            f"Kafka option {name} is one of Kafka's Java client, which the collector does not use; "
            f"it takes only those of an OAuth login: {', '.join(sorted(_KNOWN))}"
        )
    credentials = ClientCredentials.of(given)
    mechanism = given.get("sasl.mechanism")
    if mechanism is None and credentials is None:
        return {}
    if mechanism != OAUTHBEARER or credentials is None:
        raise UsageError(
            f"the collector cannot log in with these Kafka options; give "
            f"sasl.mechanism={OAUTHBEARER} and {TOKEN_URL}, {CLIENT_ID} and {CLIENT_SECRET}, or "
            f"--sasl-mechanism"
        )
    return {
        "sasl_mechanism": OAUTHBEARER,
        "sasl_oauth_token_provider": TokenProvider(credentials),
    }


async def start(starting: Coroutine[Any, Any, None]) -> None:
    """Await the start of a client; if cancelled, first wait a few seconds for it to finish.

    aiokafka (0.14, `AIOKafkaClient.bootstrap`) leaks the connection on which it requests metadata
    if it is cancelled.
    """
    task = asyncio.ensure_future(starting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await end(task)
        raise


async def end(ending: Awaitable[None]) -> None:
    """Await `ending` for a few seconds: a connection to a silent broker may never close."""
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_END_SECONDS):
            await ending
