"""`POST /track`: one event, answered when Kafka has stored it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from events_ingest.budget import Budget
from events_ingest.endpoints.admission import Admission
from events_ingest.endpoints.intake import Intake, OutsideWindow
from events_ingest.errors import ProducerError
from events_ingest.http.body import body_of, decoded
from events_ingest.http.content import JSON_TYPES
from events_ingest.http.head import RequestHead
from events_ingest.http.responses import ApiError, JsonResponse, invalid_event, malformed
from events_ingest.limits import BodyLimits
from events_schema import InvalidEvent, MalformedJson


class Track:
    """The endpoint, as an ASGI application."""

    def __init__(
        self, admission: Admission, intake: Intake, budget: Budget, *, limits: BodyLimits
    ) -> None:
        self._admission = admission
        self._intake = intake
        self._budget = budget
        self._limits = limits

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
            return  # there is no client to answer
        try:
            value, event_id = self._record(text)
        except ApiError:
            self._intake.metrics.rejected(1)
            raise
        del body, text  # free their memory: the wait for Kafka may be long
        (acknowledged,) = self._intake.producer.produce([value])
        await asyncio.wait((acknowledged,))  # shared: this task must not cancel it
        try:
            acknowledged.result()
        except ProducerError as error:
            raise self._intake.unacknowledged(error, event_id) from error
        self._intake.metrics.accepted(1)
        answer = JsonResponse({"detail": "Event created", "event_id": event_id})
        await answer(scope, receive, send)

    def _record(self, text: bytes) -> tuple[bytes, str]:
        """Return the event's record and its id. Raises `ApiError` (400, 422)."""
        try:
            return self._intake.record(text, datetime.now(UTC))
        except MalformedJson as error:
            raise malformed(str(error)) from None
        except (InvalidEvent, OutsideWindow) as error:
            raise invalid_event(error.errors) from None
