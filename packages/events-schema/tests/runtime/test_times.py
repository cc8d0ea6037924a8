"""Times as the tables store them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_schema.models.types import EARLIEST_TIME, LATEST_TIME
from events_schema.runtime.times import from_micros, midnight, to_micros
from events_schema.testing import times

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(times())
def test_a_time_is_read_back_as_it_was(moment: datetime) -> None:
    """A time converted to microseconds and back is unchanged, anywhere in the contract's range."""
    assert from_micros(to_micros(moment)) == moment


@given(st.datetimes(datetime(1900, 1, 1), datetime(9999, 1, 1), timezones=zones))  # noqa: DTZ001  # bounds have no zone
def test_the_zone_of_a_time_does_not_matter(moment: datetime) -> None:
    """A moment has the same microseconds in every time zone, and is read back in UTC."""
    read = from_micros(to_micros(moment))
    assert (read, read.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    ("moment", "micros"),
    [
        (EARLIEST_TIME, 0),
        (datetime(1970, 1, 1, 0, 0, 1, 2, tzinfo=UTC), 1_000_002),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (LATEST_TIME, 253_402_300_799_999_999),
    ],
)
def test_microseconds_count_from_1970(moment: datetime, micros: int) -> None:
    """The first and the last time of the contract are exact."""
    assert to_micros(moment) == micros
    assert from_micros(micros) == moment


def test_a_day_starts_at_midnight_utc() -> None:
    """A day starts at midnight UTC, whatever the machine's time zone is."""
    start = midnight(date(2026, 3, 29))
    assert start.isoformat() == "2026-03-29T00:00:00+00:00"
