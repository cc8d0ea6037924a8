"""uvicorn's HTTP/1.1 protocol with limits on heads, times and connections, and a fast lane.

Requests in the fast lane are answered without an ASGI task.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any

import httptools
import structlog
import uuid_utils
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from events_ingest.endpoints.fast_lane import FAST_LANE, PATH, FastLane, Taken
from events_ingest.http.responses import ApiError
from events_ingest.settings import ServeSettings
from events_ingest.telemetry.metrics import EventMetrics
from events_ingest.telemetry.middleware import OTHER, unexpected

log = structlog.get_logger()

_FAST_URL = PATH.encode()
_UPGRADE_HEADERS = frozenset((b"connection", b"upgrade", b"http2-settings"))
_LINGER_SECONDS = 2.0
"""How long a refused client may keep sending: closing at once would reset the answer."""
_LAST_SECONDS = 0.5
"""How long an idle connection stays open when the collector stops."""
_STALLED_SECONDS = 30.0
"""A client that reads none of its answers for this long is disconnected."""


class _Refused(Exception):
    """Raised within the parser to stop it, with the error for the client."""

    def __init__(self, error: ApiError) -> None:
        super().__init__()
        self.error = error


class _SetEvent:
    """Replaces uvicorn's event, since a request in the fast lane has no task to wake."""

    def set(self) -> None:
        """Do nothing."""


class _FastExchange:
    """A request in the fast lane; it replaces uvicorn's `RequestResponseCycle`."""

    __slots__ = ("disconnected", "keep_alive", "protocol", "response_complete", "taken")
    message_event = _SetEvent()

    def __init__(self, protocol: CollectorProtocol, taken: Taken, *, keep_alive: bool) -> None:
        self.protocol = protocol
        self.taken = taken
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False

    def __call__(self, _: asyncio.Future[None]) -> None:
        """Answer, now that the outcome of the event is known."""
        self.response_complete = True
        self.protocol.answer_fast(self)


class CollectorProtocol(HttpToolsProtocol):
    """One connection.

    `check_deadlines` must be called about every second: a timer for each request would cost more
    than parsing the request.
    """

    def __init__(
        self, *args: Any, settings: ServeSettings, metrics: EventMetrics | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._settings = settings
        self._metrics = metrics
        self._max_connections = settings.per_worker(settings.max_connections)
        self._fast_lane: FastLane | None = self.app_state.get(FAST_LANE)
        self._deadline = time.monotonic() + settings.header_timeout
        self._awaited = False
        self._in_head = False
        self._head_is_split = False
        self._in_message = False
        self._fed_bytes = 0
        self._chunk_bytes = 0
        self._waiting_for_body = False
        self._body = b""
        self._half_closed = False
        self._last = False
        self._lingering = False
        self._defaults: tuple[object, bytes] = (None, b"")
        self._unread = (0, 0.0)
        """How many bytes of answers the client has not read, and since when that number."""

    # --- incoming data ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or answer that there are too many."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self._max_connections:
            error = ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too_many_connections",
                "the collector has reached its limit of connections; send it again later",
            )
            self._refuse(error)

    def data_received(self, data: bytes) -> None:
        """Parse `data`; answer complete requests."""
        if self._lingering:
            return
        if not self._awaited:  # the first bytes of a request: the rest of its head must follow soon
            self._awaited = True
            self._deadline = time.monotonic() + self._settings.header_timeout
        self._head_is_split = self._in_head
        self._chunk_bytes = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(_refusal(error))
            return
        if self._waiting_for_body:  # it comes in pieces and may be slow: not for the fast lane
            self._leave_fast_lane()
        if self._in_head and self._head_is_split:
            self._fed_bytes += len(data)
            if self._fed_bytes > self._settings.max_header_bytes:
                self._refuse(_head_too_long(self._settings.max_header_bytes))

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Upgrades are not supported, so the header is ignored (RFC 9110, 7.8). This parser
            # would read the body as another protocol; a new one gets the request without it.
            head = self._head_without_upgrade()
            self.parser = httptools.HttpRequestParser(self)
            self._feed(head + data[upgrade.args[0] :])

    def _head_without_upgrade(self) -> bytes:
        lines = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url)]
        lines += [b"%b: %b" % each for each in self.headers if each[0] not in _UPGRADE_HEADERS]
        return b"\r\n".join([*lines, b"\r\n"])

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection open while an answer is due: the client may still be reading."""
        self._half_closed = True
        return not self._lingering and not self._in_message and self._answer_is_due()

    def _answer_is_due(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        """Begin a request; the ASGI scope is created later, only if the application gets it."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = self._in_message = True
        self._fed_bytes = 0

    def on_headers_complete(self) -> None:
        """Choose between the fast lane and the application."""
        self._in_head = False
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _Refused(_bad_request())
            return
        limit = self._settings.max_header_bytes
        if (self._head_is_split or self._chunk_bytes > limit) and self._measure_head() > limit:
            raise _Refused(_head_too_long(limit))
        if (
            self.url == _FAST_URL
            and self._fast_lane is not None
            and not self._answer_is_due()
            and not self.expect_100_continue
            and self.parser.get_method() == b"POST"
        ):
            self._waiting_for_body = True
            self._body = b""
            return
        self._start_application()

    def _measure_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _start_application(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        try:
            super().on_headers_complete()
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            raise _Refused(_bad_request()) from None
        if self._last:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Receive a part of the body."""
        if self._waiting_for_body:
            self._body = self._body + body if self._body else body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if self.parser.should_upgrade():
            return
        self._in_message = False
        if self._waiting_for_body and not self._take_fast():
            self._leave_fast_lane()
        elif not isinstance(self.cycle, _FastExchange):
            super().on_message_complete()

    # --- the fast lane ---

    def _take_fast(self) -> bool:
        assert self._fast_lane is not None  # noqa: S101
        taken = self._fast_lane.take(self.headers, self._body)
        if taken is None:
            return False
        self._waiting_for_body = False
        self._body = b""
        keep_alive = (
            self.parser.should_keep_alive()
            and self.parser.get_http_version() != "1.0"
            and not self._last
        )
        self.cycle = exchange = _FastExchange(self, taken, keep_alive=keep_alive)  # type: ignore[assignment]
        taken.acknowledged.add_done_callback(exchange)
        return True

    def _leave_fast_lane(self) -> None:
        """Pass the request, as far as it has arrived, to the application."""
        self._waiting_for_body = False
        body, self._body = self._body, b""
        self._start_application()
        if body:
            super().on_body(body)
        if not self._in_message:
            super().on_message_complete()

    def answer_fast(self, exchange: _FastExchange) -> None:
        """Write the answer to a request of the fast lane, if the client is still connected."""
        assert self._fast_lane is not None  # noqa: S101
        response = self._fast_lane.answer(exchange.taken, self.client)
        if exchange.disconnected or self.transport.is_closing():
            return
        self._write(response, close=not exchange.keep_alive)
        if exchange.keep_alive:
            self.on_response_complete()
        else:
            self.transport.close()

    def _write(self, response: Response, *, close: bool) -> None:
        given = self.server_state.default_headers  # a new list every second
        if given is not self._defaults[0]:
            self._defaults = given, _header_lines(given)
        parts = (
            STATUS_LINE[response.status_code],
            self._defaults[1],
            _header_lines(response.raw_headers),
            b"connection: close\r\n\r\n" if close else b"\r\n",
            response.body,
        )
        self.transport.write(b"".join(parts))

    # --- the end of a request and of the connection ---

    def on_response_complete(self) -> None:
        """Continue with the next request; uvicorn would set a timer here instead of a deadline."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._awaited = self._in_message
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._half_closed:
            self.transport.close()
        elif self._in_message:  # answered before it arrived completely: read the rest for a while
            self._deadline = time.monotonic() + self._settings.body_timeout
        else:
            self._deadline = time.monotonic() + self._settings.keep_alive

    def check_deadlines(self, now: float) -> None:
        """Close the connection if the client sends or reads too slowly."""
        if self._is_stalled(now):
            self.transport.abort()
        elif now < self._deadline or self._answer_is_due() or self.transport.is_closing():
            return
        elif self._lingering or not self._in_head:
            self.transport.close()
        else:
            error = ApiError(
                HTTPStatus.REQUEST_TIMEOUT,
                "head_timeout",
                f"the head did not arrive within {self._settings.header_timeout:g} s; "
                "send it again",
            )
            self._refuse(error)

    def _is_stalled(self, now: float) -> bool:
        unread = self.transport.get_write_buffer_size()
        if not unread or unread != self._unread[0]:
            self._unread = (unread, now)
        return now - self._unread[1] > _STALLED_SECONDS

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # replaced by our own text
        """Answer a request that is not valid HTTP."""
        self._refuse(_bad_request())

    def _refuse(self, error: ApiError) -> None:
        """Answer an invalid or refused request, and process nothing more on this connection.

        Data that the client still sends is discarded for a moment, so that it sees the answer.
        """
        self._lingering = True
        self._deadline = time.monotonic() + _LINGER_SECONDS
        if self._answer_is_due():
            if self.pipeline or not self._in_message or self._in_head:
                self.cycle.keep_alive = False  # only the requests before it are answered
                return
            self.cycle.disconnected = True  # it is the request whose body is being read
            self.cycle.message_event.set()
        request_id = str(uuid_utils.uuid7())
        response = error.response(request_id)
        response.headers["X-Request-Id"] = request_id
        if self._metrics:
            self._metrics.request(OTHER, error.status)
        self._write(response, close=True)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def shutdown(self) -> None:
        """Close in order: answer pending requests, and those that arrive in the next moment."""
        self._last = True
        if self._answer_is_due():
            self.cycle.keep_alive = False
        else:  # a request may already be in transit: closing now would reset it
            self.loop.call_later(_LAST_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        if not self._answer_is_due():
            self.transport.close()


def _header_lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def _refusal(error: httptools.HttpParserError) -> ApiError:
    """Return the answer for a request that the parser could not parse."""
    cause = error.__context__
    if isinstance(cause, _Refused):
        return cause.error
    if isinstance(error, httptools.HttpParserCallbackError):
        log.error("unexpected error", exc_info=cause)
        return unexpected()
    return _bad_request()


def _bad_request() -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "bad_request", "not a valid HTTP/1.1 request")


def _head_too_long(limit: int) -> ApiError:
    return ApiError(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "head_too_large",
        f"the head of the request is longer than {limit} bytes; send fewer or shorter headers",
    )
