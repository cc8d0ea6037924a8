"""A Spark job that makes progress is told from one that does not."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.waiting import wait_until
from events_stream.records import heartbeat
from events_stream.records.heartbeat import Work, beating
from line_support.topics import Topics


def test_a_job_of_one_long_task_beats(spark: SparkSession, tmp_path: Path) -> None:
    """It beats while the task runs, not only when it ends."""
    beats: list[float] = []
    beaten = threading.Event()

    def beat() -> None:
        beats.append(time.monotonic())
        beaten.set()

    slow = "aggregate(sequence(1, 300), CAST(id AS STRING), (a, x) -> sha2(a, 512)) AS text"
    rows = 2000
    while not beaten.is_set():
        began = time.monotonic()
        with beating(spark, beat):
            spark.range(0, rows, 1, 1).selectExpr(slow).write.parquet(str(tmp_path / str(rows)))
        ended = time.monotonic()
        assert rows < 10**6
        rows *= 4
    assert began < beats[0] < ended


def test_a_job_that_mostly_waits_for_records_beats(
    spark: SparkSession, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records count, however little processor time they take: the network may be slow."""
    monkeypatch.setattr(heartbeat, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(heartbeat, "LEAST_WORK", float("inf"))
    topic = topics.create(partitions=1)
    for _ in range(12):
        topics.produce(topic, [b"a record"] * 5)  # a batch, and so an answer to a fetch
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", topics.bootstrap)
    small = reader.option("subscribe", topic).option("kafka.max.partition.fetch.bytes", "1")
    wait = "CAST(30 + length(value) * 0 AS BIGINT)"
    records = small.load().selectExpr(f"java_method('java.lang.Thread', 'sleep', {wait}) AS text")
    beats: list[None] = []
    with beating(spark, lambda: beats.append(None)):
        records.write.parquet(str(tmp_path / "out"))
    assert len(beats) > 1  # one may be for the end of the task


def test_java_that_waits_does_not_beat(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python waits in the context, but Java has nothing to do."""
    looks: list[None] = []
    used = heartbeat._used

    def count_looks(session: SparkSession) -> float:
        looks.append(None)
        return used(session)

    monkeypatch.setattr(heartbeat, "_used", count_looks)
    beats: list[None] = []
    with beating(spark, lambda: beats.append(None)):
        wait_until(lambda: len(looks) > 2, "several looks", seconds=60)
    assert beats == []


@pytest.mark.parametrize(
    ("used", "passed", "done"),
    [(1.0, 1.0, True), (0.125, 1.0, True), (0.0625, 1.0, False), (0, 9, False)],
)
def test_little_processor_time_is_no_work(used: float, passed: float, done: bool) -> None:
    """A thread that polls uses some; what threads that ended had used does not count."""
    work = Work(5.0, 100.0)
    assert work.was_done(5.0 + used, 100.0 + passed) is done
    assert not work.was_done(1.0, 200.0)
