"""The collector's application with a test double as producer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
from starlette.applications import Starlette

from events_ingest import EventProducer, ProducerError, ServeSettings, create_app
from events_schema import Contract
from ingest_support.contracts import CONTRACT

VALID = {"user_id": 1, "app_name": "shop", "event_category": "product"}


class RecordingProducer:
    """Acknowledges each record at once and stores it."""

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = ready
        self.running = False
        self.values: list[bytes] = []

    async def start(self) -> None:
        """Start."""
        self.running = True

    async def stop(self) -> None:
        """Stop."""
        self.running = False

    def produce(self, values: Sequence[bytes]) -> list[asyncio.Future[None]]:
        """Store `values`."""
        self.values += values
        return [self._settled(index) for index in range(len(values))]

    def _settled(self, index: int) -> asyncio.Future[None]:  # noqa: ARG002  # for subclasses
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


class FailingProducer(RecordingProducer):
    """Fails each record with `error`, or those from the index `first` of each call on."""

    def __init__(self, error: Exception, first: int = 0) -> None:
        super().__init__()
        self.error = error
        self.first = first

    def _settled(self, index: int) -> asyncio.Future[None]:
        if index < self.first:
            return super()._settled(index)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(self.error)
        future.exception()
        return future


class RefusingProducer(RecordingProducer):
    """Accepts no records: raises `error` at once."""

    def __init__(self, error: ProducerError) -> None:
        super().__init__()
        self.error = error

    def produce(self, values: Sequence[bytes]) -> list[asyncio.Future[None]]:  # noqa: ARG002
        """Refuse."""
        raise self.error


def collector(
    producer: EventProducer | None = None, contract: Contract[Any] = CONTRACT, **settings: Any
) -> Starlette:
    """The application with `producer`, for events of `contract`, with `settings`."""
    return create_app(
        ServeSettings(**{"allow_anonymous": True, "access_log": 0, **settings}),
        producer or RecordingProducer(),
        contract,
    )


def ask(app: Starlette, method: str, path: str, **request: Any) -> httpx.Response:
    """The answer of `app` to one request."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
            return await client.request(method, path, **request)

    return asyncio.run(send())


def post(app: Starlette, event: object, path: str = "/track", **request: Any) -> httpx.Response:
    """The answer of `app` to `event`, JSON unless it is bytes, posted to `path`."""
    headers = {"Content-Type": "application/json", **request.pop("headers", {})}
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return ask(app, "POST", path, content=body, headers=headers, **request)


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error in `response`, checked for the common format."""
    said = response.json()
    assert said["request_id"] == response.headers["X-Request-Id"]
    error: dict[str, Any] = said["error"]
    assert set(error) == {"code", "message", "retryable", "fields"}
    return error
