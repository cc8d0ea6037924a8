"""Converts times to and from what the tables store: microseconds since 1970 in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from events_schema.column import EPOCH

_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Return the microseconds from 1970 to `moment`, which must have a time zone."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the UTC time `micros` microseconds after 1970."""
    return EPOCH + micros * _MICROSECOND


def midnight(day: date) -> datetime:
    """Return the start of `day` in UTC."""
    return datetime.combine(day, time(), UTC)
