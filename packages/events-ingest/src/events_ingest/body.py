"""Reading the body of a request, within limits."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.requests import Request

from events_ingest.responses import ApiError

_DISCARDED_BYTES = 1024 * 1024
"""So much of a body that is too long is read and thrown away.

Closing a connection on a client that is still writing resets it, and the client never sees the
answer; only of a body longer than this is that accepted.
"""


def check_content(headers: Headers) -> None:
    """Raise `ApiError` (415) unless the body is announced as JSON, as it stands, in UTF-8."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise _unsupported("the body is encoded; send it without a Content-Encoding")
    media_type, *parameters = headers.get("content-type", "application/json").lower().split(";")
    if media_type.strip() != "application/json":
        raise _unsupported("the body is not announced as JSON; send application/json")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise _unsupported("the body is not announced as UTF-8; send charset=utf-8 or none")


def _unsupported(message: str) -> ApiError:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    return ApiError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message, headers=headers
    )


async def read_body(request: Request, *, limit: int, seconds: float) -> bytes:
    """Return the body of `request`, of at most `limit` bytes, that arrives within `seconds`.

    Raises `ApiError` (413, 408), and starlette's `ClientDisconnect`.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit + _DISCARDED_BYTES:
        raise _too_long(limit, close=True)
    try:
        async with asyncio.timeout(seconds):
            return await _read(request, limit)
    except TimeoutError:
        raise ApiError(
            HTTPStatus.REQUEST_TIMEOUT,
            "body_timeout",
            f"the body did not arrive within {seconds:g} s; send it again",
            headers={"Connection": "close"},
        ) from None


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length <= limit:
            body += chunk
        elif length > limit + _DISCARDED_BYTES:
            raise _too_long(limit, close=True)
    if length > limit:
        raise _too_long(limit, close=False)
    return bytes(body)


def _too_long(limit: int, *, close: bool) -> ApiError:
    return ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"the body is longer than {limit} bytes; send one event",
        headers={"Connection": "close"} if close else None,
    )
