"""A stream that is killed between two renames shows our own readers no half commit."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import events_analytics
from events_analytics.check.verification import verify
from events_analytics.raw.files import list_raw
from events_analytics.report.tables import failed_files, raw_files
from events_loadgen.line.query import count_stored
from events_schema import Contract, Event, column_names
from events_schema.runtime.errors import SourceMissing, TableDamaged
from events_schema.spark import spark_schema
from events_schema.tables import listing
from events_schema.tables.listing import table_files
from events_stream import Table, open_table
from events_stream.table.folder import log as log_module
from events_stream.table.folder.change import Change
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.parquet import (
    DescribedFile,
    describe_events,
    describe_failed_events,
)
from events_stream.table.folder.part import Part, folder_of
from events_stream.table.steps import Step, Watch, unwatched
from stream_support.envelopes import envelope
from stream_support.staged_change import SOURCE, store_batch, write_batch

CONTRACT = Contract(Event)
DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]


class Killed(BaseException):
    """Stands for kill -9."""


def killing_at(step: Step) -> Watch:
    """Return a `Watch` that raises `Killed` at `step`."""

    def watch(reached: Step) -> None:
        if reached is step:
            raise Killed

    return watch


def write(spark: SparkSession, change: Change, rows: int) -> None:
    """Write `rows` events of each of two days, and as many failed events."""
    names = column_names(CONTRACT.stored)
    events = [envelope(event_time=day) for day in DAYS for _ in range(rows)]
    values = [tuple(getattr(event, name) for name in names) for event in events]
    staging = change.staging
    staging.write_events(spark.createDataFrame(values, spark_schema(CONTRACT.stored)).coalesce(1))
    failed = spark.range(rows).selectExpr("'empty' AS reason", "current_timestamp() AS timestamp")
    staging.write_failed_events(failed.coalesce(1))
    change.source = SOURCE
    change.table_files = staging.describe(describe_events(staging.event_files))
    change.failed_files = staging.describe(describe_failed_events(staging.failed_event_files))


@pytest.fixture
def half(spark: SparkSession, tmp_path: Path) -> Path:
    """A table with a commit of 20 rows, and half of a commit of 80 rows."""
    with open_table(str(tmp_path / "raw")) as table:
        with table.change(CommitKind.BATCH) as change:
            write(spark, change, 10)
        table.watch = killing_at(Step.PLACED_ONE)
        with suppress(Killed), table.change(CommitKind.BATCH) as change:
            write(spark, change, 40)
    assert len(list((tmp_path / "raw").rglob("*.parquet"))) == 3
    return tmp_path / "raw"


def seen(target: Path) -> dict[str, int]:
    """Return how many rows each of our readers sees."""
    failed = failed_files(target.with_name("raw.failed"))
    return {
        "run": list_raw(target, CONTRACT).rows,
        "report": sum(file.rows for file in describe_events(raw_files(target, CONTRACT, None))),
        "failed": sum(file.rows for file in describe_failed_events(failed)),
        "simulate": count_stored(target, CONTRACT).rows,
    }


def test_our_readers_see_a_commit_whole_or_not_at_all(half: Path) -> None:
    """They see it when the next start has finished it."""
    assert seen(half) == {"run": 20, "report": 20, "failed": 10, "simulate": 20}
    with open_table(str(half)):
        assert seen(half) == {"run": 100, "report": 100, "failed": 50, "simulate": 100}


def test_a_result_of_whole_commits_stays_verified(half: Path, spark: SparkSession) -> None:
    """A run beside a half commit counts what its manifest names, also after the next start."""
    target = half.with_name("enriched")
    events_analytics.run(spark, CONTRACT, half, target, datetime(2026, 1, 2, 3, tzinfo=UTC))
    assert verify(str(target), CONTRACT).manifest.rows == 20
    with open_table(str(half)):
        pass
    assert verify(str(target), CONTRACT).manifest.rows == 20


def test_a_file_that_the_stream_did_not_write_is_refused(half: Path) -> None:
    """It would be read before and ignored after; the stream does not start either."""
    (half / "event_date=2026-01-01" / "mine.parquet").write_bytes(b"")
    with pytest.raises(TableDamaged, match=r"mine.parquet is not in the log .* move the file away"):
        list_raw(half, CONTRACT)


def test_files_that_only_an_older_log_lacks_are_refused(half: Path) -> None:
    """If only the log was restored, their events would be missing from the result."""
    with open_table(str(half)):
        pass
    (half.parent / "raw.control/log/000000000001.json").unlink()
    with pytest.raises(TableDamaged, match="which is an older copy"):
        list_raw(half, CONTRACT)


def test_a_log_that_this_user_may_not_read_is_named(
    half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which right is missing."""

    def refuse(path: Path) -> Iterator[Path]:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(SourceMissing, match=r"raw.control/log: Permission denied; give this user"):
        list_raw(half, CONTRACT)


def test_half_a_replay_hides_nothing(spark: SparkSession, half: Path) -> None:
    """Until its files are in the table, readers see the failed events from before it."""
    with open_table(str(half)) as table:
        failed = tuple(table.state.failed_files)
        for step, expected in ((Step.COMMITTED, 50), (Step.PLACED, 7)):
            table.watch = killing_at(step)
            with suppress(Killed), table.change(CommitKind.REPLAY) as change:
                write(spark, change, 7)
                change.removed = failed
            assert seen(half)["failed"] == expected
            table.watch = unwatched
            with table.writing():  # finishes it
                failed = tuple(table.state.failed_files)


@pytest.mark.parametrize("kind", [CommitKind.BATCH, CommitKind.EXPIRY, CommitKind.COMPACTION])
def test_a_listing_beside_a_writer_is_one_state_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: CommitKind
) -> None:
    """The writer may change the table twice before any step of the reader."""
    monkeypatch.setattr(log_module, "FOLD_COMMITS", 3)
    for step in range(1, 1000):
        with open_table(str(tmp_path / str(step) / "raw")) as table:
            store_batch(table)
            states = [{*table.state.table_files}]

            def write_twice(table: Table = table, states: list[set[str]] = states) -> None:
                for _ in range(2):
                    with table.change(kind) as change:
                        write_as(kind, table, change)
                    states.append({*table.state.table_files})

            with interrupted(step, monkeypatch, write_twice) as steps:
                found = table_files(table.paths.target)
        assert {str(file.relative_to(tmp_path / str(step))) for file in found} in states
        if len(steps) < step:
            break
    assert step > 5


def write_as(kind: CommitKind, table: Table, change: Change) -> None:
    """Add files, remove the oldest one, or rewrite it."""
    if kind is CommitKind.BATCH:
        write_batch(change)
        return
    oldest = next(iter(change.state.table_files.values()))
    if kind is CommitKind.EXPIRY:
        change.removed = (oldest.final,)
        return
    new = table.paths.rewriting / "new"
    new.mkdir(parents=True)
    (new / "part.parquet").touch()
    files = [DescribedFile(new / "part.parquet", oldest.rows)]
    change.replace(Part(folder_of(oldest), (oldest,)), new, files)


@contextmanager
def interrupted(
    step: int, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]
) -> Iterator[list[str]]:
    """Call `act` before the reader's step number `step`; yield the steps taken."""
    taken: list[str] = []

    def counting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            taken.append(name)
            if len(taken) == step:
                act()
            return call(*arguments, **options)

        return wrapped

    with monkeypatch.context() as patched:
        for name in ("_read_log", "partition_files", "plain_files", "fold_numbers", "_check"):
            patched.setattr(listing, name, counting(name, getattr(listing, name)))
        patched.setattr(os, "scandir", counting("scandir", os.scandir))
        yield taken


def test_a_missing_file_is_named(half: Path) -> None:
    """A result without its rows would be wrong."""
    with open_table(str(half)):
        pass
    next(half.rglob("*.parquet")).unlink()
    with pytest.raises(TableDamaged, match=r"is missing, but listed .* `events-stream expire"):
        list_raw(half, CONTRACT)


def test_a_table_with_another_name_is_refused(half: Path) -> None:
    """Its log lists the files by the old name, so it would look empty."""
    with open_table(str(half)):
        pass
    for name in ("raw", "raw.control", "raw.failed"):
        (half.parent / name).rename(half.parent / name.replace("raw", "events"))
    with pytest.raises(TableDamaged, match="a table with another name"):
        list_raw(half.parent / "events", CONTRACT)


def test_a_plain_folder_is_read_without_a_log(half: Path) -> None:
    """A copy of the files alone is a plain folder, and `--since` keeps files that have no day."""
    shutil.rmtree(half.parent / "raw.control")
    next(half.rglob("*.parquet")).rename(half / "plain.parquet")
    assert len(raw_files(half, CONTRACT, None)) == 3
    assert half / "plain.parquet" in raw_files(half, CONTRACT, date(2026, 1, 3))


def test_file_names_never_recur(spark: SparkSession, tmp_path: Path) -> None:
    """A table that was restored and filled again has no name of the files that it had before."""

    def fill() -> set[str]:
        with open_table(str(tmp_path / "raw")) as table:
            with table.change(CommitKind.BATCH) as change:
                write(spark, change, 1)
            return {*table.state.table_files, *table.state.failed_files}

    first = fill()
    for folder in ("raw", "raw.control", "raw.failed"):
        shutil.rmtree(tmp_path / folder)
    second = fill()
    assert len(first) == len(second) == 3
    assert first.isdisjoint(second)
