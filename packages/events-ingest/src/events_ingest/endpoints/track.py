"""`POST /track`: one event, answered when Kafka has it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from events_ingest.budget import Budget
from events_ingest.endpoints.admission import Admission
from events_ingest.endpoints.receipt import OutsideWindow, receive
from events_ingest.errors import ProducerError
from events_ingest.http.body import body_of, decoded
from events_ingest.http.content import JSON_TYPES
from events_ingest.http.head import RequestHead
from events_ingest.http.responses import (
    ApiError,
    Attempt,
    JsonResponse,
    field_errors,
    invalid_event,
    malformed,
)
from events_ingest.kafka.producer import EventProducer
from events_ingest.limits import BodyLimits, Window
from events_ingest.telemetry.metrics import EventMetrics
from events_schema import MalformedJson, PostedEvent, envelope_encoder, parse_event


class Track:
    """The endpoint, an ASGI application, with all it needs."""

    def __init__(
        self,
        admission: Admission,
        producer: EventProducer,
        budget: Budget,
        metrics: EventMetrics,
        *,
        limits: BodyLimits,
        window: Window,
    ) -> None:
        self._admission = admission
        self._producer = producer
        self._budget = budget
        self._metrics = metrics
        self._limits = limits
        self._window = window
        self._encode = envelope_encoder()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: 200 once its event is acknowledged.

        Raises `ApiError` and `ProducerError`, which the application answers.
        """
        head = RequestHead(scope["headers"])
        _, encoding = self._admission.admit(head, scope["query_string"], JSON_TYPES)
        try:
            async with body_of(receive, head, self._limits, self._budget) as body:
                text = decoded(body, encoding, self._limits)
        except ClientDisconnect:
            return  # nobody is there to read an answer
        try:
            envelope = self._receive(read_event(text))
        except ApiError:
            self._metrics.rejected(1)
            raise
        event_id: str = envelope["event_id"]
        del body, text  # they count no more, and the wait for Kafka may be long
        (acknowledged,) = self._producer.produce([self._encode(envelope)])
        await asyncio.wait((acknowledged,))  # others share it: it must not be cancelled with us
        try:
            acknowledged.result()
        except ProducerError as error:
            raise unacknowledged(error, event_id, self._metrics) from error
        self._metrics.accepted(1)
        answer = JsonResponse({"detail": "Event created", "event_id": event_id})
        await answer(scope, receive, send)

    def _receive(self, event: PostedEvent) -> dict[str, Any]:
        try:
            return receive(event, self._window, datetime.now(UTC))
        except OutsideWindow as error:
            raise invalid_event(error.errors) from None


def read_event(body: bytes) -> PostedEvent:
    """Read the event in `body`. Raises `ApiError` (400, 422)."""
    try:
        return parse_event(body)
    except MalformedJson as error:
        raise malformed(str(error)) from None
    except ValidationError as error:
        raise invalid_event(field_errors(error)) from None


def unacknowledged(error: ProducerError, event_id: str, metrics: EventMetrics) -> ApiError:
    """Return the error for an event that was handed on and has no acknowledgement.

    It carries the `event_id` where the event may be stored all the same: sent again with that
    id it is stored once.
    """
    metrics.unacknowledged(1)
    attempt: Attempt | None = {"event_id": event_id} if error.attempted else None
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), attempt=attempt)
