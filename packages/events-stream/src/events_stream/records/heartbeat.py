"""Tells a slow Spark job from one that is stuck, while Python waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

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

    Spark says nothing about a task before it ends. So progress is processor time that the threads
    of its Java process use, without the collector of garbage, or a task that ended. A task that
    waits for Kafka or for a disk uses next to none, and a Java that is stopped does not answer.
    """
    over = threading.Event()

    def look() -> None:
        try:
            work, ended = Work(_used(spark), time.monotonic()), 0
            while not over.wait(LOOK_SECONDS):
                before, ended = ended, _ended_tasks(spark)
                if work.was_done(_used(spark), time.monotonic()) or ended > before:
                    beat()
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
