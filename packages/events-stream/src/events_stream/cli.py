"""`events-stream`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from pyspark.sql import SparkSession

from events_schema.runtime.command import Verb, run_command
from events_schema.runtime.java.find import find_java
from events_schema.runtime.session.start import kill_session, stop_session
from events_stream.commands import maintenance
from events_stream.kafka.source import KafkaSource
from events_stream.records.writer import RecordWriter
from events_stream.run.batch import BatchSink
from events_stream.run.checkpoint import Checkpoint, open_checkpoint
from events_stream.run.metrics import StreamMetrics, serving
from events_stream.run.session import stream_session
from events_stream.run.stream import StreamRun
from events_stream.run.watchdog import Watchdog
from events_stream.settings import (
    ExpireSettings,
    FailedSettings,
    ReplaySettings,
    RunSettings,
    StatusSettings,
)
from events_stream.table.folder.table import Table, open_table
from events_stream.table.steps import Step, Watch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    verbs: dict[str, Verb[Any]] = {
        "run": Verb(RunSettings, run),
        "status": Verb(StatusSettings, maintenance.status),
        "failed": Verb(FailedSettings, maintenance.failed),
        "replay-failed": Verb(ReplaySettings, maintenance.replay_failed),
        "expire": Verb(ExpireSettings, maintenance.expire_days),
    }
    return run_command("events-stream", verbs, arguments)


def run(settings: RunSettings) -> None:
    """Run the stream as `settings` say. Raises `EventsError`."""
    stopping = threading.Event()
    find_java()
    metrics = StreamMetrics()
    with serving(metrics, settings.metrics_host, settings.metrics_port), ExitStack() as held:
        with Watchdog(settings.stall_timeout) as watchdog:  # another command may be waited for
            watch = watching(watchdog, metrics)
            table = held.enter_context(open_table(settings.target, watch))
            checkpoint = held.enter_context(open_checkpoint(settings.checkpoint, table.paths))
        _stop_on_signals(stopping)  # until here, they kill
        spark = stream_session(settings)
        try:
            with Watchdog(settings.stall_timeout, lambda: kill_session(spark)) as watchdog:
                stream = build_run(
                    settings, spark, table, checkpoint, metrics=metrics, watchdog=watchdog
                )
                stream.run(stopping)
        finally:
            stop_session(spark)


def watching(watchdog: Watchdog, metrics: StreamMetrics) -> Watch:
    """Return what tells both of each step."""

    def watch(step: Step) -> None:
        watchdog.beat()
        metrics.reached(step)

    return watch


def build_run(
    settings: RunSettings,
    spark: SparkSession,
    table: Table,
    checkpoint: Checkpoint,
    *,
    metrics: StreamMetrics,
    watchdog: Watchdog,
) -> StreamRun:
    """Put the parts of the stream together."""
    table.watch = watching(watchdog, metrics)
    source = KafkaSource(
        spark,
        settings.brokers,
        settings.topic,
        max_records_per_batch=settings.records_per_batch(spark.sparkContext.defaultParallelism),
    )
    window = timedelta(seconds=settings.deduplication_window)
    return StreamRun(
        source=source,
        sink=BatchSink(RecordWriter(table, window), source, checkpoint, metrics),
        trigger=None if settings.available_now else settings.trigger,
        broker_timeout=settings.broker_timeout,
        accept_loss=settings.accept_loss,
        watchdog=watchdog,
    )


def _stop_on_signals(stopping: threading.Event) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
