"""The hours in which rows were received."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from events_schema.column import EPOCH
from events_schema.models.types import LATEST_TIME
from events_schema.tables.hours import MOST_RUNS, Span, are_near, hour_runs, merged
from events_schema.tables.snapshot import StoredFile

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIMES = st.datetimes(EPOCH.replace(tzinfo=None), LATEST_TIME.replace(tzinfo=None)).map(
    lambda time: time.replace(tzinfo=UTC)
)
FEW_DAYS = st.integers(0, 10 * 86_400).map(lambda second: NOON + timedelta(seconds=second))
ROWS = st.lists(TIMES | FEW_DAYS, min_size=1, max_size=60)
WINDOWS = st.integers(0, 366 * 86_400).map(lambda second: timedelta(seconds=second))


def stored(times: list[datetime]) -> StoredFile:
    """Return a file with rows received at these times."""
    return StoredFile(
        final="f",
        rows=len(times),
        earliest_received=min(times),
        latest_received=max(times),
        received_hours=hour_runs((time - EPOCH) // HOUR for time in times),
    )


def near(batch: list[datetime], file: list[datetime], window: timedelta = HOUR) -> bool:
    """Return whether a file may have copies of rows of a batch."""
    return stored(file).is_near(list(stored(batch).received), window)


@given(st.lists(st.integers(0, 200)))
def test_runs_have_all_hours(hours: list[int]) -> None:
    """They are in order, do not touch, and are few."""
    runs = hour_runs(hours)
    assert len(runs) <= MOST_RUNS
    assert all(any(first <= hour <= last for first, last in runs) for hour in hours)
    ends = [hour for run in runs for hour in run]
    assert ends == sorted(ends)
    if len(runs) < MOST_RUNS:
        assert [hour for first, last in runs for hour in range(first, last + 1)] == sorted({*hours})


@given(ROWS, ROWS, WINDOWS)
def test_a_file_that_may_have_a_copy_is_near(
    batch: list[datetime], file: list[datetime], window: timedelta
) -> None:
    """This holds for every window and every time of the contract."""
    if any(abs(one - other) <= window for one in batch for other in file):
        assert near(batch, file, window)


@given(
    st.lists(st.tuples(FEW_DAYS, FEW_DAYS).map(sorted).map(tuple)),
    st.tuples(FEW_DAYS, FEW_DAYS).map(sorted).map(tuple),
    WINDOWS | st.just(HOUR),
)
def test_merged_times_are_near_what_the_single_ones_are(
    times: list[Span], other: Span, window: timedelta
) -> None:
    """A batch of many files is compared by few times."""
    few = merged(times, window)
    near = [any(are_near(each, other, window) for each in spans) for spans in (times, few)]
    assert near[0] == near[1]
    assert len(few) <= len(times)
    assert all(last + window < first for (_, last), (first, _) in pairwise(few))


def test_an_event_of_1970_does_not_make_a_file_near_to_all_times() -> None:
    """Neither in the batch nor in the stored file."""
    wrong_clock = [EPOCH, NOON]
    assert not near(wrong_clock, [NOON - 3 * HOUR])
    assert not near([NOON - 3 * HOUR], wrong_clock)
    assert near(wrong_clock, [NOON - HOUR])
    assert near([NOON - HOUR], wrong_clock)
    assert near(wrong_clock, wrong_clock)


@given(ROWS)
def test_the_times_of_a_file_have_all_of_its_rows_and_end_with_them(times: list[datetime]) -> None:
    """They begin with the first row and end with the last, although hours are whole."""
    received = list(stored(times).received)
    assert (received[0][0], received[-1][1]) == (min(times), max(times))
    assert all(any(first <= time <= last for first, last in received) for time in times)


def test_files_of_earlier_versions_have_no_hours() -> None:
    """All times from the first to the last are possible."""
    file = StoredFile(final="f", rows=2, earliest_received=EPOCH, latest_received=NOON)
    assert list(file.received) == [(EPOCH, NOON)]
    moment = NOON - 1000 * HOUR
    assert file.is_near([(moment, moment)], HOUR)


def test_a_file_without_times_of_receipt_is_near_to_nothing() -> None:
    """Its rows are never compared with others."""
    file = StoredFile(final="f", rows=1)
    assert list(file.received) == []
    assert not file.is_near([(EPOCH, LATEST_TIME)], HOUR)
