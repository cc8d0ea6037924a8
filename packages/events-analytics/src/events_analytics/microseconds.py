"""Times as the tables store them: microseconds since 1970 in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Return the microseconds from 1970 to `moment`, which has a zone."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the UTC time so many microseconds after 1970."""
    return _EPOCH + micros * _MICROSECOND


def midnight(day: date) -> datetime:
    """Return the start of the UTC day."""
    return datetime.combine(day, time(), UTC)
