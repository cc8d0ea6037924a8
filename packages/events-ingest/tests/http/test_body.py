"""Bodies that stop before their end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from starlette.applications import Starlette

from ingest_support.collector_app import RecordingProducer, collector

Message = MutableMapping[str, Any]


def call(app: Starlette, incoming: Callable[[], Awaitable[Message]]) -> list[Message]:
    """Post to `/track` with the ASGI messages of `incoming`; return the messages that were sent."""
    sent: list[Message] = []

    async def send(part: Message) -> None:
        sent.append(part)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/track",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-length", b"100")],
    }
    asyncio.run(app(scope, incoming, send))
    return sent


def test_a_client_that_leaves_is_no_error() -> None:
    """A client that disconnects during its body produces nothing and raises nothing."""
    producer = RecordingProducer()
    parts: Iterator[Message] = iter(
        [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def incoming() -> Message:
        return next(parts)

    call(collector(producer), incoming)
    assert producer.values == []


def test_a_stalled_body_is_answered_408() -> None:
    """A body that does not arrive in time is answered 408, and the connection is closed."""

    async def incoming() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    start, _ = call(collector(body_timeout=0.1), incoming)

    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
