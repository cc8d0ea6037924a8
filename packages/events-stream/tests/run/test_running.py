"""Changes around a running stream."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.waiting import wait_until
from events_schema.runtime.errors import PublishError
from events_schema.tables.partitions import partition_files
from events_stream.errors import OtherSource
from events_stream.run.batch import BatchSink
from events_stream.run.metrics import StreamMetrics
from events_stream.table.steps import Step
from line_support.topics import Topics
from stream_support.envelopes import encoded
from stream_support.streaming import running

pytestmark = pytest.mark.extended

DEADLINE = 90.0


def stored(folder: Path) -> tuple[int, int]:
    """Return how many events and how many different events any reader finds."""
    if not partition_files(folder / "raw"):
        return 0, 0
    query = f"SELECT count(*), count(DISTINCT event_id) FROM '{folder}/raw/**/*.parquet'"
    rows, ids = duckdb.execute(query).fetchall()[0]
    return rows, ids


def test_a_batch_that_comes_while_the_query_ends_is_left_to_the_next_one(
    spark: SparkSession, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream continues, for example after a partition got another leader."""
    topic = topics.create()
    topics.produce(topic, encoded(5))
    with running(spark, topics.bootstrap, topic, tmp_path) as stream:
        wait_until(lambda: stored(tmp_path) == (5, 5), "5 rows", seconds=DEADLINE)
        outdated = iter([True])

        def end_amid_a_batch(*_: object) -> bool:
            if not next(outdated, False):
                return False
            stream.stream._ending.set()
            topics.produce(topic, encoded(5))
            wait_until(lambda: not spark.streams.active, "the query's end", seconds=DEADLINE)
            return True

        monkeypatch.setattr(BatchSink, "outdated", end_amid_a_batch)
        wait_until(lambda: stored(tmp_path) == (10, 10), "10 rows", seconds=DEADLINE)
        assert not stream.ended.done()


@pytest.mark.parametrize("records", [1, 30])
def test_a_recreated_topic_ends_the_stream(
    spark: SparkSession, topics: Topics, tmp_path: Path, records: int
) -> None:
    """None of its records are stored, whether it is shorter or longer than before."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(5))
    with running(spark, topics.bootstrap, topic, tmp_path) as stream:
        wait_until(lambda: stored(tmp_path) == (5, 5), "5 rows", seconds=DEADLINE)
        topics.delete(topic)
        topics.create(partitions=1, name=topic)
        topics.produce(topic, encoded(records))
        with pytest.raises(OtherSource, match="filled from topic_id"):
            stream.ended.result(DEADLINE)
    assert stored(tmp_path) == (5, 5)


def test_another_cluster_behind_the_address_ends_the_stream(
    spark: SparkSession, tmp_path: Path
) -> None:
    """This also holds if its topic continues at the same offset."""
    with LocalBroker(tmp_path / "kafka") as broker:
        topics = Topics(broker.bootstrap)
        topic = topics.create(partitions=1)
        topics.produce(topic, encoded(5))
        with running(spark, broker.bootstrap, topic, tmp_path) as stream:
            wait_until(lambda: stored(tmp_path) == (5, 5), "5 rows", seconds=DEADLINE)
            broker.kill()
            with LocalBroker(tmp_path / "other", broker.port):
                topics.create(partitions=1, name=topic)
                topics.produce(topic, encoded(12))
                with pytest.raises(OtherSource, match="filled from cluster_id"):
                    stream.ended.result(DEADLINE)
    assert stored(tmp_path) == (5, 5)


def test_a_batch_that_fails_while_the_stream_stops_is_reported(
    spark: SparkSession, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream does not end as if the current batch were stored."""
    topic = topics.create()
    topics.produce(topic, encoded(5))
    written, stopped = threading.Event(), threading.Event()

    def fail(_: StreamMetrics, step: Step) -> None:
        if step is Step.WRITTEN:
            written.set()
            stopped.wait(DEADLINE)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "raw"))

    monkeypatch.setattr(StreamMetrics, "reached", fail)
    with running(spark, topics.bootstrap, topic, tmp_path) as stream:
        assert written.wait(DEADLINE)
        stream.stopping.set()
        wait_until(stream.stream._ending.is_set, "the end to be awaited", seconds=DEADLINE)
        stopped.set()
        with pytest.raises(PublishError, match=r"No space left on device; free some space"):
            stream.ended.result(DEADLINE)
    assert stored(tmp_path) == (0, 0)
