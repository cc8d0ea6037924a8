"""What a table stores about its topic."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_stream.table.position import Backlog
from stream_support.envelopes import NOON


def after(*records: int) -> Backlog:
    """Return the last of these backlogs, which were seen 10 seconds apart."""
    backlog = None
    for number, each in enumerate(records):
        backlog = Backlog.after(backlog, each, NOON + timedelta(seconds=10 * number))
    assert backlog is not None
    return backlog


@pytest.mark.parametrize(
    ("records", "seconds"),
    [
        ((1000,), None),
        ((1000, 900), 90),
        ((1000, 900, 800), 80),
        ((1000, 1000), math.inf),
        ((1000, 1100), math.inf),
        ((1000, 0), 0),
        ((0,), 0),
    ],
)
def test_a_backlog_says_how_long_it_will_take(
    records: tuple[int, ...], seconds: float | None
) -> None:
    """It takes forever if it grows, and nobody knows before it was seen twice."""
    assert after(*records).seconds_left == seconds


@given(st.integers(1, 10**12), st.integers(1, 10**6), st.integers(2, 50))
def test_a_backlog_that_shrinks_steadily_is_foretold(first: int, by: int, looks: int) -> None:
    """However often it was seen, the estimate is what is left, divided by the speed."""
    backlog = after(*(first + by * (looks - number) for number in range(looks)))
    assert backlog.seconds_left == pytest.approx(backlog.records / (by / 10), rel=1e-6)


def test_a_backlog_seen_at_an_earlier_time_is_a_new_one() -> None:
    """The clock may have been set back."""
    backlog = Backlog.after(Backlog(records=5, at=NOON, shrinks_by=1.0), 4, NOON)
    assert backlog == Backlog(records=4, at=NOON)
