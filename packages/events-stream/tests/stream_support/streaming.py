"""The stream in the tests' Spark session: stores what is on a topic, or runs in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from events_schema import Contract
from events_stream import open_table
from events_stream.run.build import build_run
from events_stream.run.checkpoint import open_checkpoint
from events_stream.run.metrics import StreamMetrics
from events_stream.run.stream import StreamRun
from events_stream.run.watchdog import Watchdog
from events_stream.settings import RunSettings
from events_stream.table.folder.state import TableState
from stream_support.contracts import CONTRACT


def store(spark: SparkSession, brokers: str, topic: str, folder: Path, **flags: Any) -> TableState:
    """Run the stream until everything on the topic is stored; return the table's state."""
    with _stream(spark, brokers, topic, folder, available_now=True, **flags) as stream:
        stream.run(threading.Event())
        return stream.sink.table.state


@dataclass(frozen=True)
class Running:
    """A stream in a thread. It runs until `stopping` is set; `ended` is its future."""

    stream: StreamRun
    stopping: threading.Event
    ended: Future[None]


@contextmanager
def running(
    spark: SparkSession, brokers: str, topic: str, folder: Path, **flags: Any
) -> Iterator[Running]:
    """Run the stream in a thread until the context ends."""
    stopping = threading.Event()
    with (
        _stream(spark, brokers, topic, folder, **{"trigger": "1 second", **flags}) as stream,
        ThreadPoolExecutor(1) as thread,
    ):
        try:
            yield Running(stream, stopping, thread.submit(stream.run, stopping))
        finally:
            stopping.set()


@contextmanager
def _stream(
    spark: SparkSession,
    brokers: str,
    topic: str,
    folder: Path,
    contract: Contract[Any] = CONTRACT,
    **flags: object,
) -> Iterator[StreamRun]:
    settings = RunSettings(
        brokers=brokers,
        topic=topic,
        target=str(folder / "raw"),
        checkpoint=str(folder / "checkpoint"),
        **flags,
    )
    metrics = StreamMetrics()
    with (
        open_table(settings.target, metrics.reached) as table,
        open_checkpoint(settings.checkpoint, table.paths) as checkpoint,
        Watchdog(settings.stall_timeout) as watchdog,
    ):
        yield build_run(
            settings,
            spark,
            table,
            checkpoint,
            contract=contract,
            metrics=metrics,
            watchdog=watchdog,
        )
