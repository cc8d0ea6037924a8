"""Tells a slow Spark job from one that is stuck, while Python waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from events_stream.records.consumed import ConsumedRecords

LOOK_SECONDS = 1.0
LEAST_WORK = 0.1
"""The least processor time of Java's threads that counts as work, as a part of the time passed."""


class Work:
    """Notices that processor time was used since the last look. Time is in seconds."""

    def __init__(self, used: float, now: float) -> None:
        self._used, self._now = used, now

    def was_done(self, used: float, now: float) -> bool:
        """Return whether enough was used since the last look."""
        work, passed = used - self._used, now - self._now
        self._used, self._now = used, now
        return work >= LEAST_WORK * passed


@contextmanager
def beating(spark: SparkSession, beat: Callable[[], None]) -> Iterator[None]:
    """Call `beat` now and then while a job in this context makes progress.

    Spark says nothing about a task before it ends. So progress is a task that ended, records that
    Kafka consumers in Spark's Java process read (a slow network), or processor time that its
    threads use, without the collector of garbage (sorting and writing after the last record). A
    task that waits for Kafka in vain uses next to none, and a Java that is stopped does not answer.
    With executors on other machines, only tasks that end count.
    """
    over = threading.Event()

    def look() -> None:
        if over.wait(LOOK_SECONDS):
            return  # as with most jobs
        try:
            consumed, work = ConsumedRecords(spark), Work(_used(spark), time.monotonic())
            before = consumed.count(), _ended_tasks(spark)
            while not over.wait(LOOK_SECONDS):
                now = consumed.count(), _ended_tasks(spark)
                worked = work.was_done(_used(spark), time.monotonic())
                if worked or now[0] > before[0] or now[1] > before[1]:
                    beat()
                before = now
        except (Py4JError, ConnectionError):
            return  # Java has ended, which the job itself reports

    thread = threading.Thread(target=look, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _used(spark: SparkSession) -> float:
    """Return the processor time, in seconds, of Java's living threads."""
    java: Any = spark._jvm.java  # type: ignore[union-attr]  # noqa: SLF001
    threads = java.lang.management.ManagementFactory.getThreadMXBean()
    nanoseconds = threads.getThreadCpuTime(threads.getAllThreadIds())
    return float(java.util.Arrays.stream(nanoseconds).sum()) / 1e9


def _ended_tasks(spark: SparkSession) -> int:
    tracker = spark.sparkContext.statusTracker()
    stages = map(tracker.getStageInfo, tracker.getActiveStageIds())
    return sum(stage.numCompletedTasks for stage in stages if stage)
