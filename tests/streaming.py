"""The stream, run once over all that is on a topic."""

from __future__ import annotations

import threading
from pathlib import Path

from pyspark.sql import SparkSession

from events_stream import open_table
from events_stream.checkpoint import open_checkpoint
from events_stream.cli import build_run
from events_stream.metrics import StreamMetrics
from events_stream.settings import RunSettings
from events_stream.state import TableState
from events_stream.watchdog import Watchdog


def store(
    spark: SparkSession, brokers: str, topic: str, folder: Path, **flags: object
) -> TableState:
    """Run the stream until all that is on the topic is stored; return what the table then holds."""
    settings = RunSettings(
        brokers=brokers,
        topic=topic,
        target=str(folder / "raw"),
        checkpoint=str(folder / "checkpoint"),
        available_now=True,
        **flags,  # type: ignore[arg-type]
    )
    metrics = StreamMetrics()
    with (
        open_table(settings.target, metrics.reached) as table,
        open_checkpoint(settings.checkpoint, table.layout) as checkpoint,
        Watchdog(settings.stall_timeout, lambda: None) as watchdog,
    ):
        stream = build_run(settings, spark, table, checkpoint, metrics=metrics, watchdog=watchdog)
        stream.run(threading.Event())
        return table.state
