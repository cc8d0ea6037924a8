"""Failed events are counted, shown, and stored once they can be decoded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from events_schema import fingerprint
from events_schema.tables.partitions import partition_files
from events_schema.tables.paths import TablePaths
from events_stream.cli import main
from events_stream.commands import maintenance
from events_stream.commands.failed import newest_failed, summarize_failed
from events_stream.commands.replay import replay
from events_stream.records.writer import RecordWriter
from events_stream.table.folder import log as commit_log
from events_stream.table.folder.log import read_state
from events_stream.table.folder.open import open_beside_stream
from events_stream.table.position import Counts
from events_stream.table.steps import Step, unwatched
from line_support.topics import Topics
from stream_support.contracts import PRICED, SHOP
from stream_support.envelopes import envelope
from stream_support.streaming import store

pytestmark = pytest.mark.extended

WINDOW = timedelta(hours=1)


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, topics: Topics, spark: SparkSession) -> Path:
    """A table of 3 events and 7 failed ones: 4 of a later contract, and 2 of these are copies."""
    folder = tmp_path_factory.mktemp("filled")
    topic = topics.create(partitions=1)
    stored = [envelope(contract=SHOP, plan="pro") for _ in range(3)]
    early = [envelope(contract=PRICED, plan="free", price=0.1) for _ in range(2)]
    copy = PRICED.envelope.model_validate({**dict(stored[0]), "price": 9.5})
    unknown = map(PRICED.encode, (*early, early[0], copy))
    topics.produce(topic, [b"garbage", *map(SHOP.encode, stored), *unknown, None, b"more"])
    state = store(spark, topics.bootstrap, topic, folder, contract=SHOP)
    assert state.position.totals == Counts(read=10, stored=3, duplicates=0, failed=7)
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy of that table."""
    return shutil.copytree(filled, tmp_path / "line")


def ids(folder: Path) -> list[str]:
    """Return the stored ids, as DuckDB reads the table."""
    query = f"SELECT event_id FROM '{folder}/raw/**/*.parquet'"
    return [row[0] for row in duckdb.execute(query).fetchall()]


def failed(folder: Path) -> int:
    """Return the number of failed events that DuckDB finds."""
    found = duckdb.execute(f"SELECT count(*) FROM '{folder}/raw.failed/*.parquet'").fetchone()
    assert found is not None
    return int(found[0])


def test_the_summary_counts_by_reason_day_and_partition(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line has an example and its offset."""
    assert main(["failed", "--summary", "--target", str(folder / "raw")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:4] == ["reason", "day", "partition", "events"]
    assert [(line[0], line[2], line[3], line[4]) for line in lines[1:]] == [
        ("empty", "0", "1", "8"),
        ("not_single_object", "0", "2", "0"),
        ("unknown_schema", "0", "4", "4"),
    ]
    assert lines[2][5] == b"garbage".hex().upper()


@pytest.mark.core
def test_the_newest_failed_events_are_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--limit` sets how many are shown."""
    assert main(["failed", "--limit", "2", "--target", str(folder / "raw")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert ["0", "9", "not_single_object", "4", b"more".hex().upper()] == lines[1].split()[2:]


def test_without_failed_events_it_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints a sentence instead of an empty table."""
    for path in (folder / "raw.failed").iterdir():
        path.unlink()
    assert main(["expire", "--missing", "--apply", "--target", str(folder / "raw")]) == 0
    capsys.readouterr()
    assert main(["failed", "--target", str(folder / "raw")]) == 0
    assert capsys.readouterr().out == "no failed events\n"


@pytest.fixture
def run(spark: SparkSession, folder: Path) -> Callable[..., Counts]:
    """Return a function that replays the failed events with the later contract."""

    def run(*, apply: bool, watch: Callable[[Step], None] = unwatched) -> Counts:
        table = open_beside_stream(str(folder / "raw"), watch)
        return replay(spark, RecordWriter(table, WINDOW, PRICED), apply=apply)

    return run


def test_events_that_can_now_be_decoded_are_stored_once_however_often_it_runs(
    run: Callable[..., Counts], folder: Path
) -> None:
    """Copies of each other and of stored events are dropped, and the other failed events stay."""
    dry = run(apply=False)
    assert dry == Counts(read=7, stored=2, duplicates=2, failed=3)
    assert (len(ids(folder)), failed(folder)) == (3, 7)
    assert run(apply=True) == dry
    for _ in range(2):
        assert len(ids(folder)) == len(set(ids(folder))) == 5
        assert failed(folder) == 3
        totals = read_state(folder / "raw.control/log").position.totals
        assert totals == Counts(read=10, stored=5, duplicates=2, failed=3)
        assert run(apply=True) == Counts(read=3, stored=0, duplicates=0, failed=3)
    query = f"""
        SELECT plan, price, count(*)
        FROM read_parquet('{folder}/raw/**/*.parquet', union_by_name = true) GROUP BY ALL ORDER BY 1
    """
    assert duckdb.execute(query).fetchall() == [("free", 0.1, 2), ("pro", None, 3)]
    assert read_state(folder / "raw.control/log").own_types == PRICED.own_types
    paths = TablePaths.at(str(folder / "raw"))
    assert [row[0] for row in summarize_failed(paths).rows] == ["empty", "not_single_object"]
    assert len(newest_failed(paths, 100).rows) == 3


NOT_PASSED = {Step.REWRITTEN, Step.COMPARED, Step.CHECKED, Step.EXCHANGED}


@pytest.mark.parametrize("step", [step for step in Step if step not in NOT_PASSED])
def test_killed_anywhere_each_is_stored_once(
    run: Callable[..., Counts], folder: Path, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After another run, the result is the same as without the kill."""
    monkeypatch.setattr(commit_log, "FOLD_COMMITS", 2)

    def die(reached: Step) -> None:
        if reached is step:
            raise Killed

    with pytest.raises(Killed):
        run(apply=True, watch=die)
    assert len(ids(folder)) == len(set(ids(folder)))
    run(apply=True)
    assert len(ids(folder)) == len(set(ids(folder))) == 5
    assert failed(folder) == 3
    assert all(path.suffix == ".parquet" for path in partition_files(folder / "raw"))


def test_an_unfinished_replay_is_seen_as_done(
    run: Callable[..., Counts], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It counts as done from its commit on, even before its files are in place."""

    def die(reached: Step) -> None:
        if reached is Step.COMMITTED:
            raise Killed

    with pytest.raises(Killed):
        run(apply=True, watch=die)
    assert len(newest_failed(TablePaths.at(str(folder / "raw")), 100).rows) == 3
    flags = ["--target", str(folder / "raw"), "--checkpoint", str(folder / "checkpoint")]
    assert main(["status", *flags]) == 0
    said = capsys.readouterr().out
    assert "complete      no: commit 1 is unfinished" in said
    assert "missing" not in said


def test_a_file_that_was_deleted_by_hand_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the way out."""
    (path,) = (folder / "raw.failed").iterdir()
    path.unlink()
    assert main(["failed", "--target", str(folder / "raw")]) == 5
    said = capsys.readouterr().err
    assert path.name in said
    assert "expire --missing --apply" in said
    assert len(said.splitlines()) == 1


def test_a_file_that_cannot_be_read_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says how to continue, as for a missing file."""
    (path,) = (folder / "raw.failed").iterdir()
    path.unlink()
    path.mkdir()  # it exists, but cannot be read
    assert main(["failed", "--target", str(folder / "raw")]) == 5
    said = capsys.readouterr().err
    assert "expire --missing --apply" in said
    assert len(said.splitlines()) == 1


def test_the_earlier_contract_still_decodes_nothing(spark: SparkSession, folder: Path) -> None:
    """With the earlier contract, nothing is written."""
    table = open_beside_stream(str(folder / "raw"))
    counts = replay(spark, RecordWriter(table, WINDOW, SHOP), apply=True)
    assert (counts.stored, counts.failed, table.state.number) == (0, 7, 0)
    assert list(table.paths.staging.iterdir()) == []


@pytest.mark.parametrize("flags", [[], ["--dry-run", "--apply"]])
def test_either_dry_run_or_apply_is_required(
    folder: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing or contradictory flags are refused before Spark starts."""
    assert main(["replay-failed", "--target", str(folder / "raw"), *flags]) == 2
    assert "give --dry-run to see what would be stored, or --apply" in capsys.readouterr().err


def test_a_contract_without_the_tables_fields_is_refused_before_spark_starts(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It exits with 5, and nothing is stored."""
    monkeypatch.delattr(maintenance, "stream_session")
    assert main(["replay-failed", "--apply", "--target", str(folder / "raw")]) == 5
    said = capsys.readouterr().err
    assert "has the own field plan: Text where contract events_schema:Event has" in said
    assert len(said.splitlines()) == 1
    assert failed(folder) == 7


def test_the_later_contracts_schema_is_unknown_to_the_earlier_one() -> None:
    """Without this, the tests above would not test anything."""
    assert fingerprint(PRICED.avro_schema) not in SHOP.schemas
