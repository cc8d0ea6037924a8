"""The stream, run once over all that is on a topic."""

from __future__ import annotations

import threading
from pathlib import Path

from pyspark.sql import SparkSession

from events_stream import open_table
from events_stream.cli import build_run, open_checkpoint
from events_stream.settings import RunSettings


def store(spark: SparkSession, brokers: str, topic: str, folder: Path) -> None:
    """Run the stream until all that is on the topic is stored."""
    settings_ = RunSettings(
        brokers=brokers,
        topic=topic,
        target=str(folder / "raw"),
        checkpoint=str(folder / "checkpoint"),
        available_now=True,
    )
    with open_table(settings_.target) as table:
        checkpoint = open_checkpoint(settings_.checkpoint, table)
        build_run(settings_, spark, table, checkpoint, threading.Event()).run()
