"""Events for tests, each with an id of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from events_schema import EventEnvelope, encode

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def envelope(received: timedelta = timedelta(), event_time: datetime = NOON) -> EventEnvelope:
    """Return an event received so long after noon."""
    return EventEnvelope(
        event_id=str(uuid4()),
        received_time=NOON + received,
        event_time=event_time,
        user_id=1,
        app_name="shop",
        event_category="page",
        event_action="😀",
    )


def encoded(count: int) -> list[bytes]:
    """Return that many different events, as they are on the topic."""
    return [encode(envelope()) for _ in range(count)]
