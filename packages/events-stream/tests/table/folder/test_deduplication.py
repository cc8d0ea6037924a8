"""Copies are removed from files, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events_stream.table.folder import parquet
from events_stream.table.folder.deduplication import remove_copies
from events_stream.table.folder.parquet import describe_events

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
COLUMNS = ("number", "event_id", "received_time")
Row = tuple[str, int]
ROWS = st.lists(st.tuples(st.sampled_from([str(UUID(int=n)) for n in range(6)]), st.integers(0, 3)))


def write(path: Path, rows: list[Row], first: int = 0) -> Path:
    """Write numbered rows, each with an id and the second at which it was received."""
    table = pa.table(
        {
            "number": pa.array(range(first, first + len(rows)), pa.int32()),
            "event_id": pa.array([event_id for event_id, _ in rows], pa.string()),
            "received_time": pa.array(
                [NOON + timedelta(seconds=second) for _, second in rows],
                pa.timestamp("us", tz="UTC"),
            ),
        }
    )
    pq.write_table(table, path)
    return path


def read(path: Path) -> list[tuple[int, str]]:
    """Return the numbers and ids of the rows, in order."""
    query = f"SELECT number, event_id FROM read_parquet('{path}', hive_partitioning = false)"
    return duckdb.execute(query).fetchall()


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)
@given(ROWS, ROWS, ROWS)
def test_the_first_received_of_each_id_that_is_not_stored_stays(
    tmp_path: Path, one: list[Row], other: list[Row], stored: list[Row]
) -> None:
    """This holds across files, and of copies received at the same time the first in order stays."""
    day = tmp_path / "event_date=2026-01-31"  # readers take this part of a path for a column
    day.mkdir(exist_ok=True)
    files = [write(day / "a.parquet", one), write(day / "b.parquet", other, len(one))]
    known = write(tmp_path / "stored.parquet", stored)
    rows = list(enumerate([*one, *other]))
    first: dict[str, tuple[int, int]] = {}
    for number, (event_id, second) in rows:
        if event_id not in dict(stored):
            first[event_id] = min(first.get(event_id, (second, number)), (second, number))
    removed = remove_copies(files, [known], tmp_path / "spill")
    kept = [row for file in files for row in read(file)]
    assert sorted(kept) == sorted((number, event_id) for event_id, (_, number) in first.items())
    assert kept == sorted(kept)
    assert removed == len(rows) - len(kept)
    assert {tuple(pq.read_schema(file).names) for file in files} == {COLUMNS}
    assert read(known) == [(number, event_id) for number, (event_id, _) in enumerate(stored)]


@pytest.mark.parametrize("newest_first", [False, True])
def test_files_with_different_columns_are_compared_whatever_the_names_of_these(
    tmp_path: Path, newest_first: bool
) -> None:
    """Files of an older contract lack columns, and columns may be named like those DuckDB adds."""
    names = ("file", "hash", "nth", "suspects", "hashes", "copies", "key", "value")
    ids = [str(UUID(int=n)) for n in range(4)]
    old = write(tmp_path / "old.parquet", [(ids[0], 0)])
    rows = [(ids[0], 3), (ids[1], 2), (ids[2], 2), (ids[1], 1), (ids[2], 2)]
    new, known = (tmp_path / f"{name}.parquet" for name in ("new", "known"))
    for path, written in ((new, rows), (known, [(ids[3], 0)])):
        table = pq.read_table(write(path, written))
        for name in names:  # sorting by these values would reverse the order
            table = table.append_column(name, pa.array(range(len(written), 0, -1), pa.int32()))
        pq.write_table(table, path)
    stored = [known, old] if newest_first else [old, known]
    assert remove_copies([new], stored, tmp_path / "spill") == 3
    assert read(new) == [(2, ids[2]), (3, ids[1])]
    assert pq.read_schema(new).names == [*COLUMNS, *names]
    assert pq.read_table(new)["file"].to_pylist() == [3, 2]
    (described,) = describe_events([new])
    assert (described.rows, described.earliest_received) == (2, NOON + timedelta(seconds=1))


def test_a_file_without_copies_is_not_changed(tmp_path: Path) -> None:
    """Its bytes stay the same."""
    path = write(tmp_path / "a.parquet", [(str(UUID(int=n)), 0) for n in range(5)])
    before = path.read_bytes()
    assert remove_copies([path], [], tmp_path / "spill") == 0
    assert path.read_bytes() == before


def test_files_say_what_they_hold(tmp_path: Path) -> None:
    """Rows and times are described by file, also for a file without rows."""
    full = write(tmp_path / "full.parquet", [("a", 3), ("b", 1), ("c", 2)])
    empty = write(tmp_path / "empty.parquet", [])
    one, other = describe_events([empty, full])
    assert (one.path, one.rows, one.earliest_received) == (empty, 0, None)
    assert (other.path, other.rows) == (full, 3)
    assert other.earliest_received == NOON + timedelta(seconds=1)
    assert other.latest_received == NOON + timedelta(seconds=3)


def test_no_files_hold_nothing(tmp_path: Path) -> None:
    """A batch may have only failed events, and so no files of events."""
    assert describe_events([]) == []
    assert remove_copies([], [], tmp_path / "spill") == 0


def test_progress_is_reported_after_each_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies are found in every piece, and an id that several pieces have counts once."""
    monkeypatch.setattr(parquet, "FILES_PER_PIECE", 2)
    ids = [str(UUID(int=n)) for n in range(6)]
    new = write(tmp_path / "new.parquet", [(each, 0) for each in ids])
    stored = [
        write(
            tmp_path / f"{n}.parquet", [(ids[0], 0), (ids[n % 6], 0), (str(UUID(int=100 + n)), 0)]
        )
        for n in range(5)
    ]
    beats: list[None] = []
    assert remove_copies([new], stored, tmp_path / "spill", lambda: beats.append(None)) == 5
    assert read(new) == [(5, ids[5])]
    assert len(beats) == 2 * (1 + 3) + 1  # new files and pieces of stored ones, twice; rewritten
