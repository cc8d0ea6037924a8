"""Compaction makes few files of many, with the same rows, in one step for each day."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events_schema import Contract, StoredEvent
from events_schema.runtime.database import Database, open_database
from events_schema.runtime.errors import DatabaseFailed, PublishError, TableDamaged
from events_schema.runtime.files import remove_folder
from events_schema.tables.listing import list_table
from events_schema.testing import contracts, raw_tables
from events_stream import open_table
from events_stream.commands.expiry import expire
from events_stream.errors import RowsDiffer
from events_stream.table.folder import compaction, rewriting
from events_stream.table.folder import log as commit_log
from events_stream.table.folder import table as table_of_folder
from events_stream.table.folder.compaction import compact, find_small_files, first_open_day
from events_stream.table.folder.log import read_state
from events_stream.table.folder.open import open_beside_stream, open_for_maintenance
from events_stream.table.folder.rows import Rows, failed_events, fingerprint, write
from events_stream.table.steps import Step, Watch, unwatched
from stream_support.contracts import CONTRACT, SHOP
from stream_support.envelopes import NOON, envelope
from stream_support.real_files import as_rows, failed_values, rows, store_events
from stream_support.staged_change import files

TOMORROW = NOON.date() + timedelta(days=1)


class Killed(BaseException):
    """Stands for kill -9."""


def stored(contract: Contract[Any] = CONTRACT, **fields: object) -> StoredEvent:
    """Return a row of an event at noon, or with these fields."""
    return contract.stored.from_envelope(envelope(contract=contract, **fields))  # type: ignore[arg-type]


def run(target: Path, before: date = TOMORROW, watch: Watch = unwatched) -> list[str]:
    """Compact the table, watched once its small files are found; return what changed."""
    with open_for_maintenance(str(target), "a test") as table:
        found = find_small_files(table, before)
        table.watch = watch
        return [each.before.part.folder for each in compact(table, found)]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A table with three batches: each has an event of yesterday and of today, and a failed one."""
    with open_table(str(tmp_path / "raw")) as table:
        for number in range(3):
            days = [NOON - timedelta(days=1, seconds=number), NOON - timedelta(seconds=number)]
            store_events(table, [stored(event_time=day) for day in days], [b"failed %d" % number])
    return tmp_path / "raw"


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


def per_folder(target: Path) -> Counter[str]:
    """Return the number of files of each closed day, and of the failed events."""
    names = [path.parent.name for path in target.glob("*/*.parquet")]
    failed = target.with_name("raw.failed").glob("*.parquet")
    closed = [name for name in names if name < f"event_date={TOMORROW}"]
    return Counter([*closed, *(path.parent.name for path in failed)])


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


def test_a_batch_between_reading_and_exchanging_a_day_is_kept(target: Path) -> None:
    """An event that comes while its day is rewritten is there afterwards."""
    late = stored(event_time=NOON - timedelta(days=1))

    def store(step: Step) -> None:
        if step is Step.COMPARED:
            store_events(open_beside_stream(str(target)), [late])

    expected = rows(target)
    with open_for_maintenance(str(target), "a test", store) as table:
        (found,) = find_small_files(table, NOON.date())[:1]
        (done,) = compact(table, [found])
    assert done.files == 1
    assert rows(target) == expected + as_rows([late])
    assert per_folder(target)["event_date=2026-01-30"] == 2


def test_a_reader_of_the_old_folder_never_takes_late_events_for_the_day(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opened the folder before the exchange, and lists it at any time while it is deleted.

    If it sees a file that is still there, it also sees all that are not, and reads again.
    """
    day = target / "event_date=2026-01-30"
    old = {path.name for path in day.iterdir()}
    opened: list[int] = []
    listed: list[set[str]] = []
    unlink = os.unlink

    def store_and_open(step: Step) -> None:
        if step is Step.COMPARED and not opened:
            late = stored(event_time=NOON - timedelta(days=1))
            store_events(open_beside_stream(str(target)), [late])
            opened.append(os.open(day, os.O_RDONLY | os.O_DIRECTORY))

    def unlink_and_list(*given: Any, **options: Any) -> None:
        unlink(*given, **options)
        listed.extend({entry.name for entry in os.scandir(each)} for each in opened)

    def remove_oldest_first(folder: Path) -> None:
        for path in sorted(folder.rglob("*.parquet")):
            path.unlink()
        remove_folder(folder)

    monkeypatch.setattr(os, "unlink", unlink_and_list)
    monkeypatch.setattr(table_of_folder, "remove_folder", remove_oldest_first)
    run(target, watch=store_and_open)
    monkeypatch.undo()
    os.close(opened[0])
    stays = {path.name for path in day.iterdir()}
    assert old in listed  # the late event's file went first
    assert listed[-1] == set()
    assert all(names >= old for names in listed if names & stays)


def test_a_day_that_expires_meanwhile_stays_away(target: Path) -> None:
    """Files that another command removes are not brought back by their rewritten rows."""

    def expire_first(step: Step) -> None:
        if step is Step.REWRITTEN:
            expire(open_beside_stream(str(target)), NOON.date(), apply=True)

    with open_for_maintenance(str(target), "a test", expire_first) as table:
        done = list(compact(table, find_small_files(table, NOON.date())[:1]))
    assert done == []
    assert [path.name for path in target.iterdir()] == ["event_date=2026-01-31"]
    with open_table(str(target)) as table:
        assert table.state.days == ["2026-01-31"]


STEPS = [Step.REWRITTEN, Step.COMPARED, *list(Step)[: list(Step).index(Step.WRITTEN)]]
STEPS += [Step.SYNCED, Step.COMMITTED, Step.EXCHANGED, Step.FINISHED, Step.FOLDED, Step.TIDIED]


@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_the_rows_are_the_same(
    target: Path, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill at any step costs nothing: the next run goes on where this one ended."""
    monkeypatch.setattr(commit_log, "FOLD_COMMITS", 2)
    expected, failed = rows(target), failed_values(target.with_name("raw.failed"))

    def die(reached: Step) -> None:
        if reached is step:
            raise Killed

    with pytest.raises(Killed):
        run(target, watch=die)
    assert list_table(target).snapshot is not None  # a reader accepts what is there
    assert rows(target) == expected
    run(target)
    assert rows(target) == expected
    assert failed_values(target.with_name("raw.failed")) == failed
    assert sum(per_folder(target).values()) == 3
    with open_table(str(target)) as table:
        assert list(table.paths.rewriting.iterdir()) == []


def test_rows_that_differ_are_never_published(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the new files have other rows than the old ones, nothing changes."""
    before = files(target)

    def write_fewer(database: Database, rows: Rows, folder: Path, files: int) -> list[Path]:
        return write(database, Rows(f"FROM ({rows.query}) LIMIT 2", rows.time), folder, files)

    monkeypatch.setattr(rewriting, "write", write_fewer)
    with pytest.raises(RowsDiffer, match="nothing was changed"):
        run(target)
    assert files(target) == before


def test_files_that_the_log_does_not_list_are_not_lost(target: Path) -> None:
    """If only the log was restored from an older copy, newer files stay, and it is refused."""
    newest = target.with_name("raw.control") / "log" / "000000000002.json"
    content = newest.read_bytes()
    expected = rows(target)
    newest.unlink()
    with pytest.raises(TableDamaged, match="not in the log"):
        run(target)
    assert rows(target) == expected
    newest.write_bytes(content)

    def add_one(step: Step) -> None:
        if step is Step.REWRITTEN:
            (target / "event_date=2026-01-30" / "by-hand.parquet").touch()

    with pytest.raises(TableDamaged, match=r"by-hand\.parquet is not in the log"):
        run(target, watch=add_one)
    assert (target / "event_date=2026-01-30" / "by-hand.parquet").exists()


def test_a_folder_that_cannot_be_exchanged_is_refused(target: Path) -> None:
    """Links are not followed, since what they link to would stay; nothing is committed."""
    day = target / "event_date=2026-01-31"
    elsewhere = day.rename(target.with_name("elsewhere"))
    day.symlink_to(elsewhere)
    before = files(target.parent)
    with pytest.raises(PublishError, match="is a symbolic link; replace it by what it links to"):
        run(target)
    assert read_state(target.with_name("raw.control") / "log").number == 3  # the other day is done
    assert files(elsewhere) == [name.partition("/")[2] for name in before if "elsewhere" in name]
    day.unlink()
    elsewhere.rename(day)
    assert run(target) == ["raw/event_date=2026-01-31", "raw.failed"]


def test_a_day_that_was_removed_after_the_commit_comes_back(target: Path) -> None:
    """If somebody deletes the day between the commit and the exchange, the new files are there."""
    expected = rows(target)

    def remove(step: Step) -> None:
        if step is Step.COMMITTED:
            shutil.rmtree(target / "event_date=2026-01-30")
            raise Killed

    with pytest.raises(Killed):
        run(target, watch=remove)
    run(target)
    assert rows(target) == expected


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


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("missing", r"missing, but listed"),
        ("replaced", r"event_date=2026-01-30 have 4 rows, but the log says 3; restore"),
        ("cut off", r"cannot read the files in .*/event_date=2026-01-30: .*; restore them"),
        ("altered", r"cannot read the files in .*/event_date=2026-01-30: .*; restore them"),
    ],
)
def test_a_damaged_day_is_named_and_stays(target: Path, damage: str, said: str) -> None:
    """Nothing of it changes. If no file is missing, the other days are compacted first."""
    one, other = sorted(target.glob("event_date=2026-01-30/*.parquet"))[:2]
    content = one.read_bytes()
    one.unlink()
    if damage == "replaced":
        pq.write_table(pa.concat_tables([pq.ParquetFile(other).read()] * 2), one)
    elif damage == "cut off":
        one.write_bytes(content[: len(content) // 2])
    elif damage == "altered":
        one.write_bytes(content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :])
    before = files(one.parent)
    with pytest.raises(TableDamaged, match=said):
        run(target)
    assert files(one.parent) == before
    assert per_folder(target)["event_date=2026-01-31"] == (3 if damage == "missing" else 1)


def test_a_failure_that_is_not_the_files_is_told_apart(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If DuckDB fails although it can read the files, nothing has to be restored."""

    def fail(*_: object) -> list[Path]:
        raise duckdb.InternalException("a defect\nSELECT secret")

    monkeypatch.setattr(rewriting, "write", fail)
    with pytest.raises(DatabaseFailed, match=r"failed on .*2026-01-30: a defect; not"):
        run(target)


def test_empty_and_missing_headers_differ(tmp_path: Path) -> None:
    """The comparison of failed events tells a list of no headers from none."""
    headers = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
    found = []
    with open_database() as database:
        for headers_of_one in [list[object](), None]:
            path = tmp_path / "failed.parquet"
            pq.write_table(pa.table({"headers": pa.array([headers_of_one], headers)}), path)
            found.append(fingerprint(database, failed_events([path], None)))
    assert found[0] != found[1]


def test_failed_events_may_have_different_columns(target: Path) -> None:
    """A column that only some of the files have is kept."""
    one, *_ = sorted(target.with_name("raw.failed").iterdir())
    failed = pq.ParquetFile(one).read()
    pq.write_table(failed.append_column("of_later", pa.array(["kept"])), one)
    run(target)
    (path,) = target.with_name("raw.failed").iterdir()
    assert sorted(map(str, pq.ParquetFile(path).read().column("of_later").to_pylist())) == [
        *["None"] * 2,
        "kept",
    ]
