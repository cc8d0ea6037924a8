"""The receipt of an erasure counts rows and days, and knows when Kafka has forgotten."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from events_stream.table.erasure import Erasure, day_runs
from stream_support.envelopes import NOON

RECEIPT = Erasure(number=1, erased_at=NOON, topic_ends={0: 5, 1: 3}, on_kafka_until=None)
DAYS = st.integers(0, 40).map(lambda number: date(2026, 1, 1) + timedelta(days=number))


@given(st.sets(DAYS))
def test_runs_have_exactly_the_days(days: set[date]) -> None:
    """The runs cover the days and no others, in order, and do not touch each other."""
    runs = day_runs(days)
    covered = [
        first + timedelta(days=n) for first, last in runs for n in range((last - first).days + 1)
    ]
    assert covered == sorted(days)
    assert all(one[1] + timedelta(days=1) < other[0] for one, other in pairwise(runs))


@given(st.lists(st.tuples(st.integers(1, 9), DAYS | st.none())))
def test_a_receipt_adds_up(parts: list[tuple[int, date | None]]) -> None:
    """It has the sum of the rows, and the days of all parts that have one."""
    receipt = RECEIPT
    for rows, day in parts:
        receipt = receipt.plus(
            rows=rows, day="__HIVE_DEFAULT_PARTITION__" if day is None else str(day)
        )
    assert receipt.rows == sum(rows for rows, _ in parts)
    assert receipt.days == day_runs(day for _, day in parts if day is not None)


def test_it_is_past_once_all_partitions_begin_later() -> None:
    """The earlier records are gone when each partition begins at its end of that time or later."""
    assert not RECEIPT.is_past({0: 5, 1: 2})
    assert RECEIPT.is_past({0: 5, 1: 3, 2: 0})


def test_what_follows_a_cut_is_later() -> None:
    """Kafka gives the offsets from a cut on to new records; an end before the cut stays."""
    assert RECEIPT.after_cuts({0: 2, 1: 7, 2: 0}).topic_ends == {0: 2, 1: 3}
