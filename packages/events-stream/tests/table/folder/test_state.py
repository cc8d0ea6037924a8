"""The state of the table knows its files."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from events_schema.column import EPOCH
from events_schema.tables.hours import hour_runs
from events_schema.tables.snapshot import StoredFile
from events_stream.table.folder.state import TableState
from stream_support.envelopes import NOON

HOUR = timedelta(hours=1)
TIMES = st.just(EPOCH) | st.integers(0, 10 * 86_400).map(lambda n: NOON + timedelta(seconds=n))
ROWS = st.lists(TIMES, min_size=1, max_size=20)
WINDOWS = st.integers(0, 366 * 86_400).map(lambda second: timedelta(seconds=second))


def stored(name: str, times: list[datetime]) -> StoredFile:
    """Return a file with rows received at these times."""
    return StoredFile(
        final=name,
        rows=len(times),
        earliest_received=min(times),
        latest_received=max(times),
        received_hours=hour_runs((time - EPOCH) // HOUR for time in times),
    )


def state_of(files: list[list[datetime]]) -> TableState:
    """Return a table with these files, named by their number."""
    return TableState(table_files={str(n): stored(str(n), times) for n, times in enumerate(files)})


@given(st.lists(ROWS, max_size=3), st.lists(ROWS, max_size=5), WINDOWS | st.just(HOUR))
def test_the_files_near_a_batch_are_those_near_one_of_its_files(
    batch: list[list[datetime]], files: list[list[datetime]], window: timedelta
) -> None:
    """Merging the times of the batch leaves no file out and adds none."""
    state = state_of(files)
    times = [span for each in batch for span in stored("batch", each).received]
    near = [file for file in state.table_files.values() if file.is_near(times, window)]
    assert state.files_received_near(times, window) == near


def test_one_event_of_1970_does_not_make_a_batch_compare_with_the_whole_table() -> None:
    """Neither in the batch nor in a stored file."""
    files = [[NOON - number * HOUR] for number in range(500)]
    files[300].append(EPOCH)
    state = state_of(files)

    def near(batch: list[datetime]) -> list[str]:
        found = state.files_received_near(stored("batch", batch).received, HOUR)
        return [file.final for file in found]

    assert near([NOON + HOUR]) == ["0"]
    assert near([EPOCH, NOON + HOUR]) == ["0", "300"]
