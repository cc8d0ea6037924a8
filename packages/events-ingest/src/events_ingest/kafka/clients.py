"""Options of aiokafka's clients, and starting and stopping them without leaking sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any

from aiokafka.errors import KafkaError

from events_schema.runtime.brokers import KafkaSettings

_END_SECONDS = 5.0


def client_options(settings: KafkaSettings) -> Mapping[str, Any]:
    """Return the options for aiokafka's clients. Raises `UsageError` if a file is unusable."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.brokers,
        "security_protocol": settings.security_protocol,
    }
    if settings.kafka_tls:
        options["ssl_context"] = settings.tls_context()
    if settings.sasl_mechanism:
        # At the DEBUG level, this logger writes whole requests, including passwords.
        logging.getLogger("aiokafka.conn").setLevel(logging.INFO)
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.password(),
        }
    return options


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
