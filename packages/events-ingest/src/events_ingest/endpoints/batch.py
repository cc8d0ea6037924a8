"""`POST /batch`: many events in one request, answered when Kafka has stored them all."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from events_ingest.budget import Budget
from events_ingest.endpoints.admission import Admission
from events_ingest.endpoints.intake import NO_SHIFT, Intake, OutsideWindow
from events_ingest.endpoints.splitting import split_batch
from events_ingest.errors import ProducerError
from events_ingest.http.body import body_of, decoded
from events_ingest.http.content import BATCH_TYPES
from events_ingest.http.head import RequestHead
from events_ingest.http.responses import (
    Attempt,
    EventPlace,
    JsonResponse,
    RejectedEvent,
    invalid_batch,
    unavailable,
)
from events_ingest.limits import BodyLimits
from events_schema import InvalidEvent, MalformedJson
from events_schema.errors import FieldError
from events_schema.models.types import is_event_id
from events_schema.parse import MAX_FIELDS

_ERRORS_OF_AN_EVENT = 3
_REJECTED_BYTES = 1536
"""Memory for the errors of one rejected event, while the other events wait for Kafka."""
_TURN_SECONDS = 0.005
"""How long events are read before other requests get a turn."""


class Batch:
    """The endpoint, as an ASGI application."""

    def __init__(
        self,
        admission: Admission,
        intake: Intake,
        budget: Budget,
        *,
        limits: BodyLimits,
        max_events: int,
        max_event_bytes: int,
    ) -> None:
        self._admission = admission
        self._intake = intake
        self._budget = budget
        self._limits = limits
        self._max_events = max_events
        self._max_event_bytes = max_event_bytes
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: 200 once all its valid events are acknowledged.

        Raises `ApiError` and `ProducerError`, which the application answers.
        """
        head = RequestHead(scope["headers"])
        media_type, encoding = self._admission.admit(head, scope["query_string"], BATCH_TYPES)
        try:
            async with body_of(receive, head, self._limits, self._budget) as body, self._turn:
                reading = await self._read(body, media_type, encoding)
            del body  # free its memory: the wait for Kafka may be long
        except ClientDisconnect:
            return  # there is no client to answer
        self._intake.metrics.rejected(len(reading.rejected))
        if not reading.places:
            raise invalid_batch(
                "the batch has no valid events; see fields", _flattened(reading.rejected)
            )
        with self._budget.holding(_REJECTED_BYTES * len(reading.rejected)):
            await self._produce(reading)
        answer = {
            "accepted": len(reading.places),
            "event_ids": [place["event_id"] for place in reading.places],
            "rejected": reading.rejected,
        }
        await JsonResponse(answer)(scope, receive, send)

    async def _read(self, body: bytes, media_type: str, encoding: str) -> _Reading:
        """Read the events in `body`; only one body at a time, since decompression needs memory."""
        text = decoded(body, encoding, self._limits)
        posted = split_batch(text, media_type, max_events=self._max_events)
        if not posted.events:
            raise invalid_batch("the batch is empty; send at least one event")
        self._intake.metrics.batch_of(len(posted.events))
        reading = _Reading(self._intake, posted.sent_at, self._max_event_bytes)
        if posted.sent_at is not None:
            self._intake.metrics.clock_skew(reading.shift.total_seconds())
        await reading.run(posted.events)
        return reading

    async def _produce(self, reading: _Reading) -> None:
        """Return once all events are acknowledged; else raise `ApiError` (503) that lists them."""
        futures = self._intake.producer.produce(reading.values)
        groups = set(futures)
        await asyncio.wait(groups)  # each has its own deadline
        errors = {group: group.exception() for group in groups}
        failed = [error for error in errors.values() if isinstance(error, ProducerError)]
        acknowledged: list[EventPlace] = []
        unacknowledged: list[EventPlace] = []
        for place, future in zip(reading.places, futures, strict=True):
            (unacknowledged if errors[future] else acknowledged).append(place)
        self._intake.metrics.accepted(len(acknowledged))
        self._intake.metrics.unacknowledged(len(unacknowledged))
        if not unacknowledged:
            return
        attempt: Attempt | None = None
        if acknowledged or any(error.attempted for error in failed):
            attempt = {
                "event_ids": [place["event_id"] for place in reading.places],
                "acknowledged": acknowledged,
                "unacknowledged": unacknowledged,
                "rejected": reading.rejected,
            }
        raise unavailable(failed[0], attempt)


class _Reading:
    """Reads the events of a batch request: valid ones become records, others get errors."""

    def __init__(self, intake: Intake, sent_at: datetime | None, max_event_bytes: int) -> None:
        self._intake = intake
        self._sent_at = sent_at
        self._max_event_bytes = max_event_bytes
        self._received_time = datetime.now(UTC)
        self.values: list[bytes] = []
        self.places: list[EventPlace] = []
        """For each value, the position and id of its event in the batch request."""
        self.rejected: list[RejectedEvent] = []

    @property
    def shift(self) -> timedelta:
        """How far the client's clock is behind the collector's, plus the time on the network."""
        return NO_SHIFT if self._sent_at is None else self._received_time - self._sent_at

    async def run(self, events: list[bytes]) -> None:
        """Read all events, and give other requests a turn every few milliseconds."""
        shift = self.shift
        turn_over = time.monotonic() + _TURN_SECONDS
        for index, text in enumerate(events):
            self._read(index, text, shift)
            if not index % 32 and time.monotonic() > turn_over:
                await asyncio.sleep(0)
                turn_over = time.monotonic() + _TURN_SECONDS

    def _read(self, index: int, text: bytes, shift: timedelta) -> None:
        if len(text) > self._max_event_bytes:
            self._reject(index, text, [_too_long(self._max_event_bytes)])
            return
        try:
            value, event_id = self._intake.record(text, self._received_time, shift)
        except MalformedJson as error:
            said: FieldError = {"field": "", "code": "malformed_json", "message": str(error)}
            self._reject(index, text, [said])
        except InvalidEvent as error:
            self._reject(index, text, error.errors[:_ERRORS_OF_AN_EVENT])
        except OutsideWindow as error:
            self._reject(index, text, error.errors)
        else:
            self.values.append(value)
            self.places.append({"index": index, "event_id": event_id})

    def _reject(self, index: int, text: bytes, errors: list[FieldError]) -> None:
        self.rejected.append({"index": index, "event_id": _event_id(text), "errors": errors})


def _too_long(limit: int) -> FieldError:
    return {
        "field": "",
        "code": "event_too_large",
        "message": f"the event is longer than {limit} bytes",
    }


class _Identified(msgspec.Struct):
    event_id: str | None = None


_IDENTIFIED = msgspec.json.Decoder(_Identified)


def _event_id(text: bytes) -> str | None:
    """Return the id of a rejected event, or None if it has no valid one."""
    try:
        event_id = _IDENTIFIED.decode(text).event_id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return event_id if event_id and is_event_id(event_id) else None


def _flattened(rejected: list[RejectedEvent]) -> list[FieldError]:
    """Return the errors of the first events, each field prefixed with its event's index."""
    return [
        {**error, "field": f"{each['index']}.{error['field']}".rstrip(".")}
        for each in rejected[:MAX_FIELDS]
        for error in each["errors"]
    ]
