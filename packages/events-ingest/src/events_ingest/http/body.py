"""Reads the body of a request, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from events_ingest.budget import Budget
from events_ingest.http.decompression import DecompressedTooLong, NotDecompressed, decompress
from events_ingest.http.head import RequestHead
from events_ingest.http.responses import ApiError
from events_ingest.limits import BodyLimits

_DISCARDED_BYTES = 1024 * 1024
"""How much beyond the limit is read and discarded.

If the collector closes a connection while the client is still writing, the client gets a reset and
never sees the answer. This happens only to bodies that exceed the limit by more than this.
"""


@asynccontextmanager
async def body_of(
    receive: Receive, head: RequestHead, limits: BodyLimits, budget: Budget
) -> AsyncIterator[bytes]:
    """Yield the body as sent, once it has arrived within `limits`.

    It counts in `budget` until the context ends. Raises `ApiError` (408, 413), `BufferFull` and
    Starlette's `ClientDisconnect`.
    """
    announced = head.text(b"content-length")
    if announced.isdecimal() and int(announced[:20]) > limits.sent + _DISCARDED_BYTES:
        raise too_long(limits.sent, close=True)
    body = _Body(limits.sent, budget)
    try:
        try:
            async with asyncio.timeout(limits.seconds):
                await body.read(receive)
        except TimeoutError:
            raise ApiError(
                HTTPStatus.REQUEST_TIMEOUT,
                "body_timeout",
                f"the body did not arrive within {limits.seconds:g} s; send it again",
                headers={"Connection": "close"},
            ) from None
        yield body.bytes()
    finally:
        body.release()


def decoded(body: bytes, encoding: str, limits: BodyLimits) -> bytes:
    """Return `body` without its content coding. Raises `ApiError` (400, 413)."""
    try:
        return decompress(body, encoding, limit=limits.decompressed)
    except NotDecompressed as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "malformed_encoding", str(error)) from None
    except DecompressedTooLong:
        raise too_long(limits.decompressed, close=False) from None


class _Body:
    """A body that is arriving; bytes over the limit are discarded, and too many are refused."""

    def __init__(self, limit: int, budget: Budget) -> None:
        self._limit = limit
        self._budget = budget
        self._parts: list[bytes] = []
        self._held = 0

    async def read(self, receive: Receive) -> None:
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part = message.get("body", b"")
            more = message.get("more_body", False)
            length += len(part)
            if length <= self._limit:
                self._hold(part)
            elif length > self._limit + _DISCARDED_BYTES:
                raise too_long(self._limit, close=True)
            else:
                self.release()
        if length > self._limit:
            raise too_long(self._limit, close=False)

    def _hold(self, part: bytes) -> None:
        self._budget.reserve(len(part))
        self._held += len(part)
        self._parts.append(part)

    def bytes(self) -> bytes:
        return b"".join(self._parts)

    def release(self) -> None:
        self._parts.clear()
        self._budget.release(self._held)
        self._held = 0


def too_long(limit: int, *, close: bool) -> ApiError:
    """Return the error for a body of more than `limit` bytes."""
    return ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"the body is longer than {limit} bytes; send fewer events at a time",
        headers={"Connection": "close"} if close else None,
    )
