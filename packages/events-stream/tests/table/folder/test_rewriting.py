"""Rewriting a folder is safe: beside other changes, killed at any step, and with damaged files."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from events_schema.runtime.database import Database, open_database
from events_schema.runtime.errors import DatabaseFailed, PublishError, TableDamaged
from events_schema.runtime.files import remove_folder
from events_schema.tables.listing import list_table
from events_stream import open_table
from events_stream.commands.expiry import expire
from events_stream.errors import RowsDiffer
from events_stream.table.folder import log as commit_log
from events_stream.table.folder import rewriting
from events_stream.table.folder import table as table_of_folder
from events_stream.table.folder.compaction import compact, find_small_files
from events_stream.table.folder.log import read_state
from events_stream.table.folder.open import open_beside_stream, open_for_maintenance
from events_stream.table.folder.rows import Rows, failed_events, fingerprint, write
from events_stream.table.steps import Step
from stream_support.compacting import make_table, per_folder, run, stored
from stream_support.envelopes import NOON
from stream_support.real_files import as_rows, failed_values, rows, store_events
from stream_support.staged_change import files


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A table with three batches."""
    return make_table(tmp_path)


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
