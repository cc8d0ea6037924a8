"""Middleware that gives every request an id, CORS headers, metrics and a log line."""

from __future__ import annotations

import time
from collections.abc import Collection
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from events_ingest.http.cors import Cors
from events_ingest.http.head import RequestHead
from events_ingest.http.responses import ApiError
from events_ingest.telemetry.access_log import AccessLog
from events_ingest.telemetry.metrics import EventMetrics

log = structlog.get_logger()

OTHER = "other"
"""The name of unknown paths in metrics and log, so that requests cannot add new names."""


class Observation:
    """The outermost middleware, which also answers, counts and logs internal errors."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        endpoints: Collection[str],
        metrics: EventMetrics,
        access_log: AccessLog,
        cors: Cors,
    ) -> None:
        self._app = app
        self._endpoints = frozenset(endpoints)
        self._metrics = metrics
        self._access_log = access_log
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        head = RequestHead(scope["headers"])
        request_id = head.request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [(b"x-request-id", request_id.encode())]
                headers += self._cors.headers(head.get(b"origin"))
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        try:
            await self._app(scope, receive, send_observed)
        except Exception as error:
            log.exception("unexpected error", endpoint=self._endpoint(scope), exc_info=error)
            if status:  # the answer has already started, so it can only be cut off
                raise
            await unexpected().response(request_id)(scope, receive, send_observed)
        if not status:  # the client has disconnected
            return
        endpoint = self._endpoint(scope)
        self._metrics.request(endpoint, status)
        if self._access_log.sampled():
            self._access_log.write(
                method=scope["method"],
                endpoint=endpoint,
                status=status,
                seconds=time.monotonic() - started,
                request_id=request_id,
                head=head,
                client=scope.get("client"),
            )

    def _endpoint(self, scope: Scope) -> str:
        path: str = scope["path"]
        return path if path in self._endpoints else OTHER


def unexpected() -> ApiError:
    """Return the answer for an internal error."""
    return ApiError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "internal error; send it again"
    )
