"""`POST /track`: one event, answered when Kafka has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import uuid_utils
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from events_ingest.authentication import Authentication
from events_ingest.body import check_content, read_body
from events_ingest.errors import BrokerUnavailable, BufferFull, NotAcknowledged, ProducerError
from events_ingest.producer import EventProducer
from events_ingest.responses import ApiError, field_errors, invalid_event
from events_ingest.settings import ServeSettings
from events_schema import EventEnvelope, MalformedJson, PostedEvent, encode, parse_event

_CODES: Mapping[type[ProducerError], str] = {
    BrokerUnavailable: "broker_unavailable",
    BufferFull: "buffer_full",
    NotAcknowledged: "not_acknowledged",
}


class Track:
    """The endpoint, with all it needs."""

    def __init__(
        self, settings: ServeSettings, authentication: Authentication, producer: EventProducer
    ) -> None:
        self._settings = settings
        self._authentication = authentication
        self._producer = producer

    async def __call__(self, request: Request) -> Response:
        """Answer `request`: 200 once its event is acknowledged. Raises `ApiError`."""
        if not self._authentication.accepts(request.headers):
            raise unauthorized()
        check_content(request.headers)
        if not self._producer.ready:  # before reading: nothing would come of the body
            raise unavailable(BrokerUnavailable("Kafka is away now; send the event again later"))
        try:
            body = await read_body(
                request, limit=self._settings.max_body_bytes, seconds=self._settings.body_timeout
            )
        except ClientDisconnect:
            return Response()  # nobody is there to read it
        envelope = receive(read_event(body), self._settings.event_time_window)
        try:
            await self._producer.produce(encode(envelope))
        except ProducerError as error:
            raise unavailable(error, envelope.event_id) from error
        return JSONResponse({"detail": "Event created", "event_id": envelope.event_id})


def read_event(body: bytes) -> PostedEvent:
    """Read the event in `body`. Raises `ApiError` (400, 422)."""
    try:
        return parse_event(body)
    except MalformedJson as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "malformed_json", str(error)) from None
    except ValidationError as error:
        raise invalid_event(field_errors(error)) from None


def receive(event: PostedEvent, window: tuple[timedelta, timedelta]) -> EventEnvelope:
    """Return the record for `event`, received now: its id and its time filled in.

    Raises `ApiError` (422) where its time lies outside the window, (back, ahead) from now.
    """
    received_time = datetime.now(UTC)
    event_time = event.event_time or received_time
    back, ahead = window
    if not received_time - back <= event_time <= received_time + ahead:
        text = f"Input should lie between {back} ago and {ahead} ahead of now"
        raise invalid_event([{"field": "event_time", "code": "event_time_window", "message": text}])
    receipt = {
        "event_id": event.event_id or str(uuid_utils.uuid7()),
        "received_time": received_time,
        "event_time": event_time,
    }
    # Without validation: the event has had it, and the receipt is ours.
    return EventEnvelope.model_construct(**{**dict(event), **receipt})


def unauthorized() -> ApiError:
    """Return the error for a missing or wrong key."""
    return ApiError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "the key is missing or wrong; send it as X-Token or Authorization: Bearer",
        headers={"WWW-Authenticate": 'Bearer realm="events"'},
    )


def unavailable(error: ProducerError, event_id: str | None = None) -> ApiError:
    """Return the error for an event that has no acknowledgement.

    It carries the `event_id` where the event may be stored all the same: sent again with that
    id it is stored once.
    """
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        _CODES[type(error)],
        str(error),
        event_id=event_id if error.attempted else None,
    )
