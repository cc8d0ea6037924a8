"""Compaction makes few files of many, with the same rows, in one step for each day."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events_schema import Contract
from events_schema.runtime.database import open_database
from events_schema.testing import contracts, raw_tables
from events_stream import open_table
from events_stream.table.folder import compaction
from events_stream.table.folder.compaction import first_open_day
from events_stream.table.folder.rows import Rows, write
from stream_support.compacting import make_table, per_folder, run, stored
from stream_support.contracts import CONTRACT, SHOP
from stream_support.envelopes import NOON
from stream_support.real_files import as_rows, failed_values, rows, store_events
from stream_support.staged_change import files


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A table with three batches."""
    return make_table(tmp_path)


@settings(max_examples=20)
@given(st.data())
def test_compaction_changes_no_row(data: st.DataObject) -> None:
    """Whatever was stored, and however often it is compacted, readers see the same rows."""
    contract: Contract[Any] = data.draw(st.one_of(st.sampled_from((CONTRACT, SHOP)), contracts()))
    batches = data.draw(st.lists(raw_tables(contract, NOON) | st.none(), max_size=6))
    expected, failed = as_rows([]), Counter[bytes]()
    with TemporaryDirectory() as folder:
        target = Path(folder, "raw")
        with open_table(str(target)) as table:
            for batch in [*batches, None]:
                if batch is None:
                    run(target)
                else:
                    store_events(table, batch, [b"x", b"y"], contract)
                    expected += as_rows(batch)
                    failed.update([b"x", b"y"])
                assert rows(target, contract) == expected
                assert failed_values(table.paths.failed) == failed
        assert max(per_folder(target).values(), default=1) == 1
        with open_table(str(target)) as table:  # its files are those in the log
            assert table.state.rows == expected.total()
            assert table.state.position.totals.stored == expected.total()


def test_rows_are_sorted_by_time(target: Path) -> None:
    """The rows of a file are in the order of their `event_time`."""
    assert run(target) == ["raw/event_date=2026-01-30", "raw/event_date=2026-01-31", "raw.failed"]
    (path,) = target.glob("event_date=2026-01-31/*.parquet")
    times = pq.ParquetFile(path).read(["event_time"]).column(0).to_pylist()
    assert times == [NOON - timedelta(seconds=number) for number in (2, 1, 0)]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.none() | st.integers(0, 20).map(lambda n: NOON + timedelta(seconds=n)), min_size=1),
    st.integers(2, 6),
)
def test_large_days_are_split_by_time(times: list[datetime | None], count: int) -> None:
    """Each row is in one file, and each file is sorted and before the next one."""
    with TemporaryDirectory() as folder, open_database() as database:
        source = Path(folder, "source.parquet")
        column = pa.array(times, pa.timestamp("us", tz="UTC"))
        pq.write_table(pa.table({"time": column}), source)
        written = write(database, Rows(f"FROM '{source}'", "time"), Path(folder), count)
        found = [pq.ParquetFile(path).read().column("time").to_pylist() for path in written]
    assert all(found)
    assert len(found) <= count + 1
    known = [time for part in found for time in part if time is not None]
    assert known == sorted(time for time in times if time is not None)
    assert sum(map(len, found)) == len(times)


def test_the_columns_stay_optional(target: Path) -> None:
    """A column without nulls is still optional, as Spark writes it, in UTC and microseconds."""
    before = {path: pq.ParquetFile(path).schema_arrow for path in target.glob("*/*.parquet")}
    run(target)
    for path in target.glob("*/*.parquet"):
        assert pq.ParquetFile(path).schema_arrow == next(iter(before.values()))
        assert all(field.nullable for field in pq.ParquetFile(path).schema_arrow)


def test_only_small_files_are_rewritten(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with one small file, and large files, are left as they are."""
    run(target)
    before = files(target.parent)
    assert run(target) == []
    monkeypatch.setattr(compaction, "SMALL_BYTES", 100)
    with open_table(str(target)) as table:
        store_events(table, [stored()])
    assert run(target) == []
    assert len(files(target.parent)) == len(before) + 2  # a file and a commit


def test_late_events_are_merged_with_the_others(target: Path) -> None:
    """A day that was compacted is compacted again after late events."""
    run(target)
    with open_table(str(target)) as table:
        store_events(table, [stored()])
    assert run(target) == ["raw/event_date=2026-01-31"]
    assert sum(per_folder(target).values()) == 3


def test_a_day_is_closed_some_time_after_its_end() -> None:
    """A day is open until it has ended as long ago as `--older-than` says; today always is."""
    end = datetime(2026, 2, 1, tzinfo=UTC)  # of 2026-01-31
    day, hour = timedelta(days=1), timedelta(hours=1)
    assert first_open_day(end + hour, hour) == date(2026, 2, 1)
    assert first_open_day(end + hour - timedelta(microseconds=1), hour) == date(2026, 1, 31)
    assert first_open_day(end + day, day) == date(2026, 2, 1)
    assert first_open_day(end, timedelta(microseconds=1)) == date(2026, 1, 31)


def test_folders_above_the_table_may_look_like_partitions(tmp_path: Path) -> None:
    """A folder such as `topic=clicks` above the table changes no value."""
    target = tmp_path / "topic=clicks" / "raw"
    with open_table(str(target)) as table:
        for _ in range(2):
            store_events(table, [stored()], [b"failed"])
    run(target)
    (path,) = target.with_name("raw.failed").iterdir()
    failed = pq.ParquetFile(path).read()
    assert failed.column("topic").to_pylist() == ["events"] * 2
    assert failed.column_names[-1] == "reason"


def test_many_files_are_replaced_in_several_steps(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with very many files is compacted piece by piece, with bounded memory."""
    expected = rows(target)
    monkeypatch.setattr(compaction, "FILES_AT_ONCE", 2)
    with open_table(str(target)) as table:
        store_events(table, [stored()])
    assert run(target) == [
        "raw/event_date=2026-01-30",
        *["raw/event_date=2026-01-31"] * 2,
        "raw.failed",
    ]
    assert sum(rows(target).values()) == sum(expected.values()) + 1
