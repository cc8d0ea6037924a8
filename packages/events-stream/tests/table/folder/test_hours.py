"""The hours in which a file's rows were received tell which files may have copies."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from events_schema.column import EPOCH
from events_schema.models.types import LATEST_TIME
from events_schema.tables.hours import MOST_RUNS, Span, are_near, hour_runs, merged
from events_schema.tables.snapshot import StoredFile
from events_stream.table.folder.parquet import describe_events
from events_stream.table.folder.state import TableState
from stream_support.envelopes import NOON

HOUR = timedelta(hours=1)
TIMES = st.datetimes(EPOCH.replace(tzinfo=None), LATEST_TIME.replace(tzinfo=None)).map(
    lambda time: time.replace(tzinfo=EPOCH.tzinfo)
)
FEW_DAYS = st.integers(0, 10 * 86_400).map(lambda second: NOON + timedelta(seconds=second))
ROWS = st.lists(TIMES | FEW_DAYS, min_size=1, max_size=60)
WINDOWS = st.integers(0, 366 * 86_400).map(lambda second: timedelta(seconds=second))


def stored(name: str, times: list[datetime]) -> StoredFile:
    """Return a file with rows received at these times."""
    hours = hour_runs((time - EPOCH) // HOUR for time in times)
    return StoredFile(
        final=name,
        rows=len(times),
        earliest_received=min(times),
        latest_received=max(times),
        received_hours=hours,
    )


def near(batch: list[datetime], files: list[list[datetime]], window: timedelta) -> list[str]:
    """Return the names, which are numbers, of the files with which a batch is compared."""
    table = {str(name): stored(str(name), times) for name, times in enumerate(files)}
    state = TableState(table_files=table)
    return [file.final for file in state.files_received_near(stored("b", batch).received, window)]


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


@given(ROWS, st.lists(ROWS, max_size=5), WINDOWS)
def test_no_file_that_may_have_a_copy_is_left_out(
    batch: list[datetime], files: list[list[datetime]], window: timedelta
) -> None:
    """This holds for every window and every time of the contract."""
    found = near(batch, files, window)
    for name, times in enumerate(files):
        if any(abs(one - other) <= window for one in batch for other in times):
            assert str(name) in found


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


def test_one_event_of_1970_does_not_make_a_batch_compare_with_the_whole_table() -> None:
    """Neither in the batch nor in a stored file."""
    files = [[NOON - number * HOUR] for number in range(500)]
    assert near([EPOCH, NOON + HOUR], files, HOUR) == ["0"]
    files[300].append(EPOCH)
    assert near([NOON + HOUR], files, HOUR) == ["0"]
    assert near([EPOCH, NOON + HOUR], files, HOUR) == ["0", "300"]


def test_files_of_earlier_versions_have_no_hours() -> None:
    """All times from the first to the last are possible."""
    file = StoredFile(final="f", rows=2, earliest_received=EPOCH, latest_received=NOON)
    state = TableState(table_files={"f": file})
    moment = NOON - 1000 * HOUR
    assert state.files_received_near([(moment, moment)], HOUR) == [file]


def test_the_hours_of_a_file_are_read_from_it(tmp_path: Path) -> None:
    """Rows without a time of receipt have no hour."""
    times = [EPOCH, NOON, None, NOON + HOUR, NOON + 5 * HOUR]
    column = pa.array(times, pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"received_time": column}), tmp_path / "some.parquet")
    none = pa.table({"received_time": pa.array([None], pa.timestamp("us", tz="UTC"))})
    pq.write_table(none, tmp_path / "none.parquet")
    beats: list[None] = []
    some, without = describe_events(
        [tmp_path / "some.parquet", tmp_path / "none.parquet"], lambda: beats.append(None)
    )
    noon = (NOON - EPOCH) // HOUR
    assert some.received_hours == ((0, 0), (noon, noon + 1), (noon + 5, noon + 5))
    assert (without.rows, without.received_hours, list(without.received)) == (1, (), [])
    assert beats == [None]
