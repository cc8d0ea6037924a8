"""The stream on a real broker: each record is stored once, or refused with a one-line error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset
import pyarrow.parquet
import pytest
from py4j.protocol import Py4JNetworkError
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from events_schema import NotAnEvolution, StoredEvent, column_names
from events_schema.errors import EventsError
from events_schema.failed import FAILED_EVENT_DDL, FailureReason
from events_schema.spark import spark_schema
from events_schema.tables.partitions import partition_files
from events_stream.errors import OtherSource, Stalled, TopicMissing
from events_stream.kafka.source import KafkaSource
from events_stream.table.folder.log import read_state
from events_stream.table.position import Counts
from line_support.topics import Topics
from stream_support.contracts import AWKWARD, CONTRACT, PRICED, SHOP
from stream_support.envelopes import NOON, encoded, envelope
from stream_support.streaming import store

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
Run = Callable[..., Counts]


@pytest.fixture
def run(spark: SparkSession, topics: Topics, tmp_path: Path) -> Run:
    """Return a function that stores a topic in the test's table and returns the table's totals."""

    def drain(topic: str, **flags: object) -> Counts:
        return store(spark, topics.bootstrap, topic, tmp_path, **flags).position.totals

    return drain


def of_days(*days: int) -> list[bytes]:
    """Return one encoded event for each number, that many days before the test's noon."""
    return [CONTRACT.encode(envelope(event_time=NOON - timedelta(days=day))) for day in days]


def ids(folder: Path) -> list[str]:
    """Return the stored `event_id`s, as DuckDB reads the table."""
    query = f"SELECT event_id FROM '{folder}/raw/event_date=*/*.parquet' ORDER BY 1"
    return [row[0] for row in duckdb.execute(query).fetchall()]


def test_events_are_stored_once_and_everything_else_is_a_failed_event(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """With events, copies and garbage on one topic, each record is accounted for."""
    topic = topics.create()
    good = of_days(0, 0, 1, 5)
    bad = [b"garbage", good[0][:10] + b"\xfa\xff\xff\xff\x0f", good[0] + b"x", b"", None]
    topics.produce(topic, [*bad, *good, *good[:3], *bad])
    assert run(topic) == Counts(read=17, stored=4, duplicates=3, failed=10)
    days = {path.parent.name for path in partition_files(tmp_path / "raw")}
    assert days == {"event_date=2026-01-31", "event_date=2026-01-30", "event_date=2026-01-26"}
    failed = duckdb.execute(
        f'SELECT topic, partition, "offset", epoch_ms(timestamp), key, headers, value, reason '
        f"FROM '{tmp_path}/raw.failed/*.parquet'"
    ).fetchall()
    assert sorted((row[6] or b"", row[7]) for row in failed) == sorted(
        2
        * [
            (b"", FailureReason.EMPTY),
            (b"", FailureReason.EMPTY),
            (b"garbage", FailureReason.NOT_SINGLE_OBJECT),
            (bad[1], FailureReason.UNREADABLE_BODY),
            (bad[2], FailureReason.UNREADABLE_BODY),
        ]
    )
    for row in failed:
        assert row[0] == topic
        assert row[4:6] == (b"key", [{"key": "name", "value": b"text"}])


def test_every_way_to_read_the_folder_gives_the_same_rows(
    run: Run, topics: Topics, tmp_path: Path, spark: SparkSession
) -> None:
    """DuckDB, pyarrow and Spark agree, whether they read by days, by `**` or the whole folder."""
    topic = topics.create()
    topics.produce(topic, of_days(*[0, 1, 2, 3] * 5))
    run(topic)
    target = tmp_path / "raw"
    expected = ids(tmp_path)
    assert len(expected) == 20
    for pattern in (f"{target}/event_date=*/*.parquet", f"{target}/**/*.parquet", str(target)):
        source = f"'{pattern}'" if "*" in pattern else f"read_parquet('{pattern}/**')"
        assert duckdb.execute(f"SELECT count(*) FROM {source}").fetchone() == (20,)
    arrow = pyarrow.dataset.dataset(target, partitioning="hive").to_table()
    assert sorted(map(str, arrow["event_id"].to_pylist())) == expected
    rows = spark.read.parquet(str(target))
    assert sorted(row["event_id"] for row in rows.collect()) == expected
    assert rows.drop("event_date").schema == spark_schema(StoredEvent)


def test_failed_events_have_the_contracts_columns(
    run: Run, topics: Topics, tmp_path: Path, spark: SparkSession
) -> None:
    """A topic with only garbage adds no file to the table, and one file of failed events."""
    topic = topics.create()
    topics.produce(topic, [b"garbage"])
    assert run(topic) == Counts(read=1, stored=0, duplicates=0, failed=1)
    assert partition_files(tmp_path / "raw") == []
    failed = spark.read.parquet(str(tmp_path / "raw.failed"))
    assert failed.schema == StructType.fromDDL(FAILED_EVENT_DDL)


def test_times_are_stored_as_microseconds_in_utc(run: Run, topics: Topics, tmp_path: Path) -> None:
    """The footer has INT64 TIMESTAMP_MICROS, not Spark's default INT96."""
    topic = topics.create()
    topics.produce(topic, encoded(1))
    run(topic)
    schema = pyarrow.parquet.read_metadata(partition_files(tmp_path / "raw")[0]).schema
    for name in ("event_time", "received_time"):
        column = schema.column(schema.names.index(name))
        assert column.physical_type == "INT64"
        logical = str(column.logical_type)
        assert "isAdjustedToUTC=true" in logical
        assert "timeUnit=microseconds" in logical


def test_another_topic_is_refused(run: Run, topics: Topics, tmp_path: Path) -> None:
    """A topic with another name is refused."""
    topic, other = topics.create(), topics.create()
    topics.produce(topic, encoded(3))
    run(topic)
    with pytest.raises(OtherSource, match="filled from topic"):
        run(other)
    assert len(ids(tmp_path)) == 3


def test_a_missing_topic_is_refused(run: Run) -> None:
    """The error says what creates the topic."""
    with pytest.raises(TopicMissing, match="start events-ingest, which creates it"):
        run("events-nowhere")


def test_copies_within_the_window_are_stored_once_across_batches(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """The window compares the times at which two copies were received, whatever the lag."""
    topic = topics.create(partitions=1)
    first = envelope()
    window = timedelta(seconds=100)
    near = first.model_copy(update={"received_time": NOW + window})
    far = first.model_copy(update={"received_time": NOW + window * 3})
    for copy in (first, near, near, far):
        topics.produce(topic, [CONTRACT.encode(copy)])
        counts = run(topic, deduplication_window=100)
    assert counts == Counts(read=4, stored=2, duplicates=2, failed=0)


def test_files_from_which_copies_were_removed_are_like_all_others(
    run: Run, topics: Topics, tmp_path: Path, spark: SparkSession
) -> None:
    """They have the same columns, types and times."""
    topic = topics.create(partitions=1)
    written = [CONTRACT.encode(envelope()) for _ in range(3)]
    topics.produce(topic, written)
    run(topic)
    topics.produce(topic, [*written, CONTRACT.encode(envelope())])
    assert run(topic).duplicates == 3
    one, other = (pyarrow.parquet.read_schema(path) for path in partition_files(tmp_path / "raw"))
    assert one.remove_metadata() == other.remove_metadata()
    assert one.names == list(column_names(StoredEvent))
    rows = spark.read.parquet(str(tmp_path / "raw"))
    assert rows.select("event_time").distinct().count() == 1


def test_own_fields_are_columns_after_all_others_whatever_their_names(
    run: Run, topics: Topics, tmp_path: Path, spark: SparkSession
) -> None:
    """Values are stored as sent, also in files from which copies were removed."""
    topic = topics.create(partitions=1)
    own: dict[str, Any] = {
        "topic": "of the event",
        "key": 1,
        "headers": 2**60,
        "ended": NOON,
        "reason": "price",
        "event": "sale",
        "file": 7,
        "hash": "#",
        "nth": 3,
        "copies": False,
        "hashes": -0.0,
        "suspects": "none",
        "value": 0.1,
        "final": True,
    }
    written = [AWKWARD.encode(envelope(contract=AWKWARD, **own)) for _ in range(3)]
    topics.produce(topic, [*written, b"garbage", CONTRACT.encode(envelope())])
    assert run(topic, contract=AWKWARD) == Counts(read=5, stored=4, duplicates=0, failed=1)
    topics.produce(topic, [*written, *written, AWKWARD.encode(envelope(contract=AWKWARD))])
    assert run(topic, contract=AWKWARD).duplicates == 6
    one, other = (pyarrow.parquet.read_schema(path) for path in partition_files(tmp_path / "raw"))
    assert one.remove_metadata() == other.remove_metadata()
    assert one.names == list(column_names(AWKWARD.stored))
    rows = spark.read.parquet(str(tmp_path / "raw"))
    assert rows.drop("event_date").schema == spark_schema(AWKWARD.stored)
    found = duckdb.execute(
        f"SELECT {', '.join(own)} FROM '{tmp_path}/raw/**/*.parquet' WHERE value IS NOT NULL"
    ).fetchall()
    assert found == [tuple(own.values())] * 3
    assert str(found[0][list(own).index("hashes")]) == "-0.0"
    (reason,) = duckdb.execute(f"SELECT reason FROM '{tmp_path}/raw.failed/*.parquet'").fetchall()
    assert reason == (FailureReason.NOT_SINGLE_OBJECT,)


def test_a_longer_contract_fits_the_table_and_a_shorter_one_does_not(
    run: Run, topics: Topics, tmp_path: Path
) -> None:
    """Copies in files without the new column are found, and a refused run stores nothing."""
    topic = topics.create(partitions=1)
    early = [envelope(contract=SHOP, plan="pro") for _ in range(2)]
    topics.produce(topic, map(SHOP.encode, early))
    run(topic, contract=SHOP)
    late = [envelope(contract=PRICED, plan="pro", price=1.5) for _ in range(2)]
    again = [PRICED.envelope.model_validate(dict(each)) for each in early]
    for expected in (
        Counts(read=6, stored=4, duplicates=2, failed=0),
        Counts(read=10, stored=4, duplicates=6, failed=0),  # the files have different columns
    ):
        topics.produce(topic, map(PRICED.encode, [*late, *again]))
        assert run(topic, contract=PRICED) == expected
    assert read_state(tmp_path / "raw.control/log").own_types == PRICED.own_types
    query = f"SELECT plan, price FROM read_parquet('{tmp_path}/raw/**/*.parquet', {{}}) ORDER BY 2"
    rows = duckdb.execute(query.format("union_by_name = true")).fetchall()
    assert rows == [("pro", 1.5), ("pro", 1.5), ("pro", None), ("pro", None)]
    topics.produce(topic, encoded(1))
    for contract in (CONTRACT, SHOP):
        with pytest.raises(NotAnEvolution, match=r"own field .* has nothing; give --contract"):
            run(topic, contract=contract)
    assert len(ids(tmp_path)) == 4
    assert list((tmp_path / "raw.control/staging").iterdir()) == []


def test_a_window_of_0_looks_for_no_copies(run: Run, topics: Topics) -> None:
    """Copies in the same batch and in the table are all stored."""
    topic = topics.create()
    copy = CONTRACT.encode(envelope())
    topics.produce(topic, [copy, copy])
    assert run(topic, deduplication_window=0).stored == 2
    topics.produce(topic, [copy])
    assert run(topic, deduplication_window=0) == Counts(read=3, stored=3, duplicates=0, failed=0)


def test_a_refusal_in_a_batch_stores_nothing_of_it(
    run: Run, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts that do not add up stop the stream, and the next run stores the batch."""
    topic = topics.create()
    topics.produce(topic, encoded(3))

    def off_by_one(self: Counts) -> None:
        raise EventsError("off by one")

    with monkeypatch.context() as patched:
        patched.setattr("events_stream.records.writer.check_counts", off_by_one)
        with pytest.raises(EventsError, match="off by one"):
            run(topic)
    assert partition_files(tmp_path / "raw") == []
    assert run(topic).stored == 3


@pytest.mark.parametrize("error", [Py4JNetworkError("gone"), ConnectionRefusedError()])
def test_a_java_process_that_ends_before_the_first_look_is_reported(
    run: Run, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is the same as for a Java process that ends later, and not an internal error."""

    def look(self: KafkaSource) -> None:
        raise error

    monkeypatch.setattr(KafkaSource, "look", look)
    with pytest.raises(Stalled, match="Java process has ended"):
        run("events")
