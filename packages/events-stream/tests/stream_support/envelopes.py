"""Events for tests, each with a new id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from events_schema import Contract, EventEnvelope
from stream_support.contracts import CONTRACT

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def envelope(
    received: timedelta = timedelta(),
    event_time: datetime = NOON,
    contract: Contract[Any] = CONTRACT,
    **own: object,
) -> EventEnvelope:
    """Return an event received at noon plus `received`, with these own fields."""
    return contract.envelope(
        event_id=str(uuid4()),
        received_time=NOON + received,
        event_time=event_time,
        user_id=1,
        app_name="shop",
        event_category="page",
        event_action="😀",
        **own,  # type: ignore[arg-type]  # the contract's class is not known here
    )


def encoded(count: int) -> list[bytes]:
    """Return `count` different events, encoded as on the topic."""
    return [CONTRACT.encode(envelope()) for _ in range(count)]
