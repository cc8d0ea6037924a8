"""How aiokafka's clients are started and ended, so that none leaves a socket open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine
from typing import Any

from aiokafka.errors import KafkaError

_END_SECONDS = 5.0


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
