"""Times as the tables store them: microseconds since 1970 in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from events_schema.column import EPOCH

_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Return the microseconds from 1970 to `moment`, which has a zone."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the UTC time so many microseconds after 1970."""
    return EPOCH + micros * _MICROSECOND


def midnight(day: date) -> datetime:
    """Return the start of the UTC day."""
    return datetime.combine(day, time(), UTC)
