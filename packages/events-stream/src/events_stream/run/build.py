"""Builds the stream from its parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pyspark.sql import SparkSession

from events_schema import Contract
from events_stream.kafka.security import client_security
from events_stream.kafka.source import KafkaSource
from events_stream.records.writer import RecordWriter
from events_stream.run.batch import BatchSink
from events_stream.run.checkpoint import Checkpoint
from events_stream.run.metrics import StreamMetrics
from events_stream.run.pace import Pace
from events_stream.run.stream import StreamRun
from events_stream.run.watchdog import Watchdog
from events_stream.settings import RunSettings
from events_stream.table.folder.table import Table
from events_stream.table.steps import Step, Watch


def watching(watchdog: Watchdog, metrics: StreamMetrics) -> Watch:
    """Return a function that reports each step to the watchdog and to the metrics."""

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
    contract: Contract[Any],
    metrics: StreamMetrics,
    watchdog: Watchdog,
) -> StreamRun:
    """Build the stream from its parts."""
    table.watch, table.beat = watching(watchdog, metrics), watchdog.beat
    source = KafkaSource(
        spark,
        settings.brokers,
        settings.topic,
        max_records_per_batch=settings.records_per_batch(spark.sparkContext.defaultParallelism),
        security=client_security(settings),
    )
    window = timedelta(seconds=settings.deduplication_window)
    writer = RecordWriter(table, window, contract)
    ack_timeout = timedelta(seconds=settings.ack_timeout)
    return StreamRun(
        source=source,
        sink=BatchSink(
            writer, source, checkpoint, metrics, ack_timeout, accept_loss=settings.accept_loss
        ),
        pace=None if settings.available_now else Pace(settings.trigger_seconds),
        broker_timeout=settings.broker_timeout,
        watchdog=watchdog,
    )
