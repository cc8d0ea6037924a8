"""Situations at a restart: the stream handles each one, or refuses it and says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import duckdb
import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.broker import LocalBroker
from events_schema.runtime.errors import AlreadyLocked
from events_stream import open_table
from events_stream.errors import NotOurs, OtherSource, RecordsLost
from events_stream.run.checkpoint import open_checkpoint
from events_stream.run.metrics import StreamMetrics
from events_stream.table.folder.commit import Commit
from events_stream.table.folder.state import TableState
from events_stream.table.position import Counts, Loss
from events_stream.table.steps import Step
from line_support.topics import Topics
from stream_support.contracts import CONTRACT
from stream_support.envelopes import encoded, envelope
from stream_support.streaming import store

pytestmark = pytest.mark.extended

Run = Callable[..., TableState]


@pytest.fixture
def run(spark: SparkSession, topics: Topics, tmp_path: Path) -> Run:
    """Return a function that stores everything on a topic and returns the table's state."""

    def drain(topic: str, **flags: object) -> TableState:
        brokers = str(flags.pop("brokers", topics.bootstrap))
        return store(spark, brokers, topic, tmp_path, **flags)

    return drain


def ids(folder: Path) -> list[str]:
    """Return the stored ids, as DuckDB reads the table."""
    query = f"SELECT event_id FROM '{folder}/raw/**/*.parquet'"
    return [row[0] for row in duckdb.execute(query).fetchall()]


def assert_stored_once(folder: Path, count: int) -> None:
    """Check that any reader finds `count` events, all different."""
    found = ids(folder)
    assert (len(found), len(set(found))) == (count, count)


@contextmanager
def restored(folder: Path, *names: str) -> Iterator[None]:
    """Restore the folders with these names when the context ends."""
    copy = folder / "copy"
    for name in names:
        shutil.copytree(folder / name, copy / name)
    yield
    for name in names:
        shutil.rmtree(folder / name)
        (copy / name).rename(folder / name)


@pytest.mark.parametrize("damage", ["lost", "old", "foreign", "torn"])
def test_whatever_happens_to_the_checkpoint_nothing_is_lost_or_stored_twice(
    run: Run, topics: Topics, tmp_path: Path, damage: str
) -> None:
    """It may be lost, restored, from another Spark version, or cut off during a write."""
    topic = topics.create()
    query = tmp_path / "checkpoint" / "query"
    topics.produce(topic, encoded(3))
    run(topic)
    with restored(tmp_path, "checkpoint"):
        topics.produce(topic, encoded(5))
        run(topic, deduplication_window=0)
    if damage == "lost":
        shutil.rmtree(tmp_path / "checkpoint")
    if damage == "foreign":
        for path in (query / "offsets/0", query / "commits/0", query / "metadata"):
            path.write_text(path.read_text().replace("v1", "v99").replace("{", "{{"))
    if damage == "torn":
        (query / "offsets/0").rename(query / f"offsets/.0.{uuid4()}.tmp")
        (query / "metadata").rename(query / f".metadata.{uuid4()}.tmp")
        (query / ".metadata.crc").rename(query / f"..metadata.{uuid4()}.tmp.crc")
        shutil.rmtree(query / "commits")
    topics.produce(topic, encoded(2))
    assert run(topic, deduplication_window=0).position.totals == Counts(read=10, stored=10)
    assert_stored_once(tmp_path, 10)


def test_a_checkpoint_of_the_first_release_is_left_alone(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """It is one folder above, and the table knows where to continue."""
    topic = topics.create()
    old = tmp_path / "checkpoint" / "offsets" / "0"
    old.parent.mkdir(parents=True)
    old.write_text("v1")
    topics.produce(topic, encoded(3))
    run(topic)
    assert_stored_once(tmp_path, 3)
    assert old.read_text() == "v1"


def test_other_settings_over_the_same_checkpoint(
    run: Run, topics: Topics, tmp_path: Path, spark: SparkSession
) -> None:
    """Shuffle partitions, window and batch size may change at a restart.

    So may the trigger; `tests/test_stream_operations.py` tests that.
    """
    topic = topics.create()
    topics.produce(topic, encoded(3))
    run(topic)
    topics.produce(topic, encoded(3))
    before = spark.conf.get("spark.sql.shuffle.partitions")
    try:
        spark.conf.set("spark.sql.shuffle.partitions", "7")
        run(topic, deduplication_window=60, max_records_per_batch=1)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", str(before))
    assert_stored_once(tmp_path, 6)


def test_a_backlog_is_complete_with_its_last_batch(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """With at most 5 records per batch, Spark reads 3 from one partition and 1 from the other."""
    topic = topics.create(partitions=2)
    for partition, count in enumerate((7, 4)):
        topics.produce(topic, encoded(count), partition=partition)
    state = run(topic, max_records_per_batch=5)
    assert_stored_once(tmp_path, 11)
    log = sorted((tmp_path / "raw.control/log").glob("*.json"))
    commits = [Commit.model_validate_json(path.read_bytes()) for path in log]
    assert [commit.counts.read for commit in commits] == [4, 4, 3]
    assert [commit.complete_up_to is not None for commit in commits] == [False, False, True]
    assert state.position.complete_up_to == commits[-1].complete_up_to


def test_a_table_restored_from_an_old_copy_reads_the_rest_again(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """It reads them again despite a newer checkpoint; if Kafka deleted them, it is refused."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(3))
    run(topic)
    for gone in (False, True):
        with restored(tmp_path, "raw", "raw.control", "raw.failed"):
            topics.produce(topic, encoded(2))
            run(topic)
        if gone:
            topics.delete_records(topic, partition=0, before=6)
            said = r"to read is 5, .* begins at 6: Kafka deleted 1 records .* give --accept-loss"
            with pytest.raises(RecordsLost, match=said):
                run(topic)
        else:
            run(topic)
            assert_stored_once(tmp_path, 5)


@pytest.mark.parametrize("records", [1, 10])
def test_a_topic_that_was_recreated_is_refused(
    run: Run, topics: Topics, tmp_path: Path, records: int
) -> None:
    """It is refused whether it is shorter or longer than before."""
    topic = topics.create()
    topics.produce(topic, encoded(3))
    run(topic)
    topics.delete(topic)
    topics.create(name=topic)
    topics.produce(topic, encoded(records))
    with pytest.raises(OtherSource, match=r"filled from topic_id .* or a new --target and"):
        run(topic)
    assert_stored_once(tmp_path, 3)


def test_another_cluster_behind_the_address_is_refused(run: Run, tmp_path: Path) -> None:
    """It is refused although its topic has the same name."""
    with LocalBroker(tmp_path / "kafka") as broker:
        topics = Topics(broker.bootstrap)
        topic = topics.create()
        topics.produce(topic, encoded(3))
        run(topic, brokers=broker.bootstrap)
        port = broker.port
    with LocalBroker(tmp_path / "other", port) as broker:
        topics.create(name=topic)
        topics.produce(topic, encoded(5))
        with pytest.raises(OtherSource, match="filled from cluster_id"):
            run(topic, brokers=broker.bootstrap)
    assert_stored_once(tmp_path, 3)


def test_retention_that_overtook_the_stream_is_refused_until_accepted(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """The error has the offsets, and an accepted loss stays in the log."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(3))
    run(topic)
    topics.produce(topic, encoded(5))
    topics.delete_records(topic, partition=0, before=7)
    said = r"partition 0: .* to read is 3, .* begins at 7: Kafka deleted 4 .* --accept-loss"
    with pytest.raises(RecordsLost, match=said):
        run(topic)
    assert_stored_once(tmp_path, 3)
    assert run(topic, accept_loss=True).position.lost == (Loss(partition=0, start=3, end=7),)
    assert_stored_once(tmp_path, 4)
    topics.produce(topic, encoded(1))
    assert len(run(topic).position.lost) == 1


def test_a_loss_of_all_that_is_there_is_accepted_once(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """This also holds if there is nothing to store after it."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(3))
    run(topic)
    topics.produce(topic, encoded(2))
    topics.delete_records(topic, partition=0, before=5)
    position = run(topic, accept_loss=True).position
    assert position.lost == (Loss(partition=0, start=3, end=5),)
    assert position.next_offsets == {0: 5}
    topics.produce(topic, encoded(1))
    assert run(topic).position.totals == Counts(read=4, stored=4)
    assert_stored_once(tmp_path, 4)


def test_retention_that_overtakes_a_batch_is_refused(
    run: Run, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If records vanish between Spark's plan and its reading, nothing of the batch is stored."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(3))
    run(topic)
    topics.produce(topic, encoded(5))

    def delete(self: StreamMetrics, step: Step) -> None:
        if step is Step.STAGED:
            topics.delete_records(topic, partition=0, before=6)

    monkeypatch.setattr(StreamMetrics, "reached", delete)
    with pytest.raises(RecordsLost, match="begins at 6: Kafka deleted 3 records"):
        run(topic)
    assert_stored_once(tmp_path, 3)


def test_added_partitions_are_read_from_their_start(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """All of their records are stored."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(3))
    run(topic)
    topics.add_partitions(topic, 3)
    for partition in range(3):
        topics.produce(topic, encoded(2), partition=partition)
    assert run(topic).position.next_offsets == {0: 5, 1: 2, 2: 2}
    assert_stored_once(tmp_path, 9)


def test_an_outage_longer_than_the_window_with_copies_on_both_sides(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """Copies are compared by when they were received, not by when they are stored."""
    topic = topics.create(partitions=1)
    minutes = [timedelta(minutes=n) for n in (0, 50, 110, 200, 250)]
    events = [envelope(received) for received in minutes]

    def again(number: int, later: int) -> bytes:
        received = events[number].received_time + timedelta(minutes=later)
        return CONTRACT.encode(events[number].model_copy(update={"received_time": received}))

    topics.produce(topic, [CONTRACT.encode(events[0]), again(0, 5), CONTRACT.encode(events[1])])
    run(topic)
    # The stream is away for hours; the clients are not.
    topics.produce(
        topic, [again(0, 59), again(1, 30), *map(CONTRACT.encode, events[2:]), again(2, 1)]
    )
    run(topic)
    topics.produce(topic, [again(4, 59), again(2, 60), again(3, 1)])
    assert run(topic).position.totals == Counts(read=12, stored=5, duplicates=7)
    assert_stored_once(tmp_path, 5)


def test_late_and_early_events_go_to_their_own_day(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """This holds for any delay, over the contract's whole range of times."""
    days = ["1970-01-01", "2025-12-31", "2026-01-31", "2026-02-01", "9999-12-31"]
    times = [datetime.fromisoformat(f"{day}T23:59:59.999999+00:00") for day in days]
    topic = topics.create()
    for time in times:
        topics.produce(topic, [CONTRACT.encode(envelope(event_time=time))])
        run(topic)
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == [
        f"event_date={day}" for day in days
    ]


def test_a_checkpoint_serves_only_one_stream(tmp_path: Path) -> None:
    """Two tables must not share it, and it must not be inside a table."""
    checkpoint = str(tmp_path / "checkpoint")
    with (
        open_table(str(tmp_path / "raw")) as table,
        open_table(str(tmp_path / "other")) as other,
        open_checkpoint(checkpoint, table.paths),
    ):
        with pytest.raises(AlreadyLocked), open_checkpoint(checkpoint, other.paths):
            pass
        inside = str(tmp_path / "raw" / "checkpoint")
        with (
            pytest.raises(NotOurs, match="overlaps with the table's folder"),
            open_checkpoint(inside, table.paths),
        ):
            pass
