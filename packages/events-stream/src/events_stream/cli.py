"""`events-stream`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pyspark.sql import SparkSession

from events_schema.command import Verb, run_command
from events_schema.java import find_java
from events_schema.posix import make_folders, refusing_unwritable
from events_schema.spark import stop_session
from events_stream.batch import BatchSink
from events_stream.errors import NotOurs
from events_stream.query import StreamRun
from events_stream.session import stream_session
from events_stream.settings import RunSettings
from events_stream.source import KafkaSource
from events_stream.table import Table, open_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("events-stream", {"run": Verb(RunSettings, run)}, arguments)


def run(settings: RunSettings) -> None:
    """Run the stream as `settings` say. Raises `EventsError`."""
    stopping = threading.Event()
    _stop_on_signals(stopping)
    find_java()
    with open_table(settings.target) as table:
        checkpoint = open_checkpoint(settings.checkpoint, table)
        spark = stream_session(settings)
        try:
            build_run(settings, spark, table, checkpoint, stopping).run()
        finally:
            stop_session(spark)


def build_run(
    settings: RunSettings,
    spark: SparkSession,
    table: Table,
    checkpoint: Path,
    stopping: threading.Event,
) -> StreamRun:
    """Put the parts of the stream together."""
    source = KafkaSource(
        spark,
        settings.brokers,
        settings.topic,
        max_records_per_batch=settings.max_records_per_batch,
    )
    window = timedelta(seconds=settings.deduplication_window)
    return StreamRun(
        source=source,
        sink=BatchSink(table, source, checkpoint, window),
        checkpoint=checkpoint,
        trigger=None if settings.available_now else settings.trigger,
        broker_timeout=settings.broker_timeout,
        stopping=stopping,
    )


def _stop_on_signals(stopping: threading.Event) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())


def open_checkpoint(checkpoint: str, table: Table) -> Path:
    """Return the folder for Spark's checkpoint, created where it is missing.

    Raises `NotOurs` where it lies in the table's own folders, `PublishError` where it cannot be
    written.
    """
    path = Path(checkpoint).resolve()
    for folder in (table.layout.target, table.layout.control, table.layout.failed):
        if path.is_relative_to(folder):
            raise NotOurs(f"--checkpoint {path} lies in the table's {folder}; give another folder")
    with refusing_unwritable(path):
        make_folders(path)
    return path
