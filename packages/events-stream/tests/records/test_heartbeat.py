"""A Spark job that makes progress is told from one that does not."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from events_stream.records.heartbeat import Work, beating


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


def test_java_that_waits_does_not_beat(spark: SparkSession) -> None:
    """Python waits in the context, but Java has nothing to do."""
    beats: list[None] = []
    with beating(spark, lambda: beats.append(None)):
        time.sleep(3)  # several looks
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
