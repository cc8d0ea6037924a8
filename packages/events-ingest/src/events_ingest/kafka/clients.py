"""aiokafka's clients: their options, and starting and ending them so that no socket stays open."""

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
    """Return the options for aiokafka's clients. Raises `UsageError` for unusable files."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.brokers,
        "security_protocol": settings.security_protocol,
    }
    if settings.kafka_tls:
        options["ssl_context"] = settings.tls_context()
    if settings.sasl_mechanism:
        # At its lowest level this one writes requests, logins among them, as they are.
        logging.getLogger("aiokafka.conn").setLevel(logging.INFO)
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.password(),
        }
    return options


async def start(starting: Coroutine[Any, Any, None]) -> None:
    """Await the start of a client; cancelled, let it end by itself first, for a few seconds.

    aiokafka (0.14, `AIOKafkaClient.bootstrap`) forgets the connection over which it is asking for
    metadata when it is cancelled.
    """
    task = asyncio.ensure_future(starting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await end(task)
        raise


async def end(ending: Awaitable[None]) -> None:
    """Await `ending` for a while: a connection to a silent broker may never end by itself."""
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_END_SECONDS):
            await ending
