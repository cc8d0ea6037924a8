"""CORS: which pages of other origins may post events and read the answers.

Starlette's `CORSMiddleware` does not suffice. Answers of the fast lane need the same headers but
pass no middleware, and a preflight request from another origin would get a 400 in plain text
instead of a 204.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

RawHeaders = list[tuple[bytes, bytes]]

_ALLOWED_HEADERS = "x-token, authorization, content-type, content-encoding, x-request-id"
_EXPOSED = (b"access-control-expose-headers", b"Retry-After, X-Request-Id")
_MAX_AGE_SECONDS = 7200  # browsers ignore more


class Cors:
    """The headers for pages of `origins`; None allows pages of any origin."""

    def __init__(self, origins: Iterable[str] | None) -> None:
        self._anyone = origins is None
        allowed = {} if origins is None else {each.encode(): each.encode() for each in origins}
        vary = [(b"vary", b"Origin")] if allowed else []
        self._allowing = {origin: [*_allow(origin), *vary] for origin in allowed}
        self._other: RawHeaders = _allow(b"*") if self._anyone else vary

    def headers(self, origin: bytes | None) -> RawHeaders:
        """Return the headers for answers to a request with this Origin header, or with none."""
        if origin is None and self._anyone:
            return []
        return self._allowing.get(origin or b"", self._other)

    async def preflight(self, request: Request) -> Response:
        """Answer a browser's preflight request; `headers` adds whether the page may post."""
        headers = {"Allow": "OPTIONS, POST"}
        if "access-control-request-method" in request.headers:
            headers |= {
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
                "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
            }
        return Response(status_code=204, headers=headers)


def _allow(origin: bytes) -> RawHeaders:
    return [(b"access-control-allow-origin", origin), _EXPOSED]
