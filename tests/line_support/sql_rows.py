"""Events for SQL questions: many generated ones, and a short story."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from events_loadgen.load.classic import classic_events
from events_schema import Contract, Event, StoredEvent

CONTRACT = Contract(Event)
"""The contract of these events, unless a test uses another one."""
T = datetime(2026, 1, 13, 10, tzinfo=UTC)
"""The processing time of the metrics."""


def generated(count: int) -> list[StoredEvent]:
    """Return events of few users over five weeks, with duplicates and missing values."""
    random = Random(count)  # noqa: S311  # repeatable on purpose
    rows = []
    for number, posted in enumerate(classic_events(count, seed=1)):
        event_time = T - timedelta(microseconds=random.randrange(35 * 86_400_000_000))
        row = StoredEvent.model_validate(
            {
                "event_value": None,
                "event_action": None,
                **posted,
                "event_time": None if number % 97 == 0 else event_time,
                "user_id": None if number % 31 == 0 else random.randrange(40),
                "received_time": event_time + timedelta(seconds=10 ** random.uniform(-2, 5.5)),
            }
        )
        rows += [row] * (2 if number % 50 == 0 else 1)
    return rows


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time in January 2026, in which the 5th and 12th are Mondays."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


def story() -> list[StoredEvent]:
    """Return what three users did. Each event is received after 0.5 s; one is received twice."""
    told = [
        (1, at(5, 10), "page_view", 2),
        (1, at(5, 10, 10), "button_click", None),
        (1, at(5, 10, 20), "scroll", 4),
        (2, at(5, 23, 50), "page_view", None),
        (2, at(6, 0, 10), "button_click", None),
        (1, at(12, 9), "page_view", None),
        (3, at(13, 8), "button_click", None),
        (3, at(13, 9), "page_view", None),
    ]
    rows = [
        StoredEvent(
            event_time=time,
            user_id=user,
            app_name="product_1",
            event_action=action,
            event_category="category_1",
            event_value=value,
            event_id=str(UUID(int=number)),
            received_time=time + timedelta(milliseconds=500),
        )
        for number, (user, time, action, value) in enumerate(told)
    ]
    return [*rows, rows[6].model_copy(update={"received_time": at(13, 10)})]
