"""Measures the stream in one warm Spark session: against Spark's sink, and over many batches."""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice, pairwise
from pathlib import Path

from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Shown

from bench.stream.filled_topic import Events, fill
from events_schema import Contract, Event, column_names
from events_schema.runtime.session.start import stop_session
from events_schema.tables.partitions import PARTITION_COLUMN, partition_files
from events_schema.tables.paths import TablePaths
from events_stream import KafkaSource, Table, open_table
from events_stream.records.decode import decoder, events
from events_stream.run.build import build_run
from events_stream.run.checkpoint import open_checkpoint
from events_stream.run.metrics import StreamMetrics
from events_stream.run.session import stream_session
from events_stream.run.watchdog import Watchdog
from events_stream.settings import RunSettings
from events_stream.table.position import Counts
from events_stream.table.steps import Step, Watch

CONTRACT = Contract(Event)
CORES = 2
EVENTS = 2_000_000
BATCH = 1_000_000
COPIES = EVENTS // 100
WINDOW_SECONDS: int = RunSettings.model_fields["deduplication_window"].default
SMALL_BATCH = 100
ENDS = 100
"""How many batches count as the first, and as the last."""

Figures = dict[str, object]


def copied(number: int) -> int:
    """Return the event that the n-th is a copy of, or n. One event in a hundred is a copy.

    Copies are in both partitions. In the first batch they copy an event of that batch; in the
    second batch, an event of the first.
    """
    if number % 200 not in (98, 199):
        return number
    return number - 50 if number < BATCH else number - 50 - BATCH


@contextmanager
def warm_session() -> Iterator[SparkSession]:
    """Start the session of `events-stream run`, on two cores."""
    spark = stream_session(RunSettings(master=f"local[{CORES}]", driver_memory="1g"))
    try:
        yield spark
    finally:
        stop_session(spark)


def run_stream(
    spark: SparkSession,
    settings: RunSettings,
    watched: Callable[[Table], Watch] = lambda table: table.watch,
) -> Counts:
    """Store all records of the topic, as the command does; return the table's totals.

    `watched` can wrap the table's watch.
    """
    metrics = StreamMetrics()
    with (
        open_table(settings.target, metrics.reached) as table,
        open_checkpoint(settings.checkpoint, table.paths) as checkpoint,
        Watchdog(settings.stall_timeout) as watchdog,
    ):
        stream = build_run(
            settings,
            spark,
            table,
            checkpoint,
            contract=CONTRACT,
            metrics=metrics,
            watchdog=watchdog,
        )
        table.watch = watched(table)
        stream.run(threading.Event())
        return table.state.position.totals


def balanced_orders(cases: Sequence[str]) -> list[list[str]]:
    """Return orders in which each case follows each other equally often (Williams, 1949)."""
    count = len(cases)
    first = [(n + 1) // 2 if n % 2 else -n // 2 for n in range(count)]
    orders = [[cases[(place + turn) % count] for place in first] for turn in range(count)]
    return orders + [order[::-1] for order in orders] if count % 2 else orders


@dataclass(frozen=True)
class Ratios:
    """Two million events in two batches: our stream and Spark's sink, in balanced order."""

    spark: SparkSession
    brokers: str
    folder: Path
    """The folder for the table of each run, which is deleted afterwards."""
    partitions: int

    def measure(self, rounds: int) -> dict[str, list[float]]:
        """Return the seconds of each round, by case."""
        fill(self.brokers, "clean", Events(rate=1000), EVENTS, self.partitions)
        fill(self.brokers, "copies", Events(rate=1000, original=copied), EVENTS, self.partitions)
        cases: dict[str, Callable[[Path], None]] = {
            "sink": lambda run: self._sink(run, self._records()),
            "tuned": lambda run: self._sink(run, self._records_as_ours()),
            "plain": lambda run: self._ours(run, "clean", window=0),
            "once": lambda run: self._ours(run, "clean"),
            "copies": lambda run: self._ours(run, "copies", duplicates=COPIES),
        }
        seconds: dict[str, list[float]] = {name: [] for name in cases}
        for case in cases.values():  # to warm up
            self._time(case)
        for order in islice(cycle(balanced_orders(list(cases))), rounds):
            for name in order:
                seconds[name].append(self._time(cases[name]))
        return seconds

    def _time(self, case: Callable[[Path], None]) -> float:
        with tempfile.TemporaryDirectory(dir=self.folder) as run:
            os.sync()  # so that this case does not write data of the last one
            start = time.monotonic()
            case(Path(run))
            return time.monotonic() - start

    def _records(self) -> DataFrame:
        source = self.spark.readStream.format("kafka").option("subscribe", "clean")
        source = source.option("kafka.bootstrap.servers", self.brokers)
        source = source.option("startingOffsets", "earliest").option("includeHeaders", "true")
        return source.option("maxOffsetsPerTrigger", str(BATCH)).load()

    def _records_as_ours(self) -> DataFrame:
        source = KafkaSource(self.spark, self.brokers, "clean", max_records_per_batch=BATCH)
        return source.read_stream(dict.fromkeys(range(self.partitions), 0))

    def _sink(self, run: Path, records: DataFrame) -> None:
        # A stream needs a named observation. Without it, Spark decodes each record many times.
        decoded = events(decoder(CONTRACT)(records), "seen")
        day = F.to_date("event_time").alias(PARTITION_COLUMN)
        rows = decoded.select(*column_names(CONTRACT.stored), day)
        writer = rows.writeStream.format("parquet").partitionBy(PARTITION_COLUMN)
        writer = writer.option("checkpointLocation", str(run / "checkpoint"))
        writer.trigger(availableNow=True).start(str(run / "raw")).awaitTermination()
        files = partition_files(run / "raw")
        stored = sum(parquet.read_metadata(file).num_rows for file in files)
        assert stored == EVENTS, f"the sink stored {stored} events"

    def _ours(
        self, run: Path, topic: str, *, window: int = WINDOW_SECONDS, duplicates: int = 0
    ) -> None:
        settings = RunSettings(
            brokers=self.brokers,
            topic=topic,
            target=str(run / "raw"),
            checkpoint=str(run / "checkpoint"),
            available_now=True,
            max_records_per_batch=BATCH,
            deduplication_window=window,
        )
        totals = run_stream(self.spark, settings)
        expected = Counts(read=EVENTS, stored=EVENTS - duplicates, duplicates=duplicates)
        assert totals == expected, f"the stream stored {totals}"


def ratios(
    spark: SparkSession,
    brokers: str,
    folder: Path,
    console: Console,
    *,
    rounds: int,
    partitions: int,
) -> Figures:
    """Measure and show the stream compared with Spark's own sink."""
    seconds = Ratios(spark, brokers, folder, partitions).measure(rounds)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    names = {
        "sink": "Spark's sink",
        "tuned": "Spark's sink, our source",
        "plain": "events-stream, window 0",
        "once": "events-stream",
        "copies": "events-stream, 1% copies",
    }
    shown = Shown("case", "s, median", "min", "max", "events/s", "of sink")
    for name, each in seconds.items():
        shown.add_row(
            f"{name}: {names[name]}",
            *(f"{value:.1f}" for value in (medians[name], min(each), max(each))),
            f"{EVENTS / medians[name]:,.0f}",
            f"{medians['sink'] / medians[name]:.2f}",
        )
    console.print(shown)
    speeds = {name: medians["sink"] / medians[name] for name in seconds}
    return {
        "events": EVENTS,
        "batch": BATCH,
        "partitions": partitions,
        "seconds": seconds,
        "speed_of_sink": speeds,
    }


@dataclass
class CommitTimes:
    """The time of each commit, and the most files that the control folder had."""

    paths: TablePaths
    times: list[float] = field(default_factory=list)
    most_files: int = 0

    def reached(self, step: Step) -> None:
        """Record a commit if `step` is one."""
        if step is Step.COMMITTED:
            self.times.append(time.monotonic())
            self.most_files = max(self.most_files, len(self.sizes()))

    def sizes(self) -> list[int]:
        """Return the size of each file in the control folder."""
        found = (path.stat() for path in self.paths.control.rglob("*") if path.is_file())
        return [each.st_size for each in found]


def batches(
    spark: SparkSession, brokers: str, folder: Path, console: Console, *, count: int
) -> Figures:
    """Measure and show whether batches get slower as the log grows, one per minute of data."""
    fill(brokers, "batches", Events(rate=SMALL_BATCH / 60), count * SMALL_BATCH)
    settings = RunSettings(
        brokers=brokers,
        topic="batches",
        target=str(folder / "batches" / "raw"),
        checkpoint=str(folder / "batches" / "checkpoint"),
        available_now=True,
        max_records_per_batch=SMALL_BATCH,
    )
    commits = CommitTimes(TablePaths.at(settings.target))

    def watched(table: Table) -> Watch:
        own = table.watch

        def watch(step: Step) -> None:
            own(step)
            commits.reached(step)

        return watch

    totals = run_stream(spark, settings, watched)
    assert totals.stored == count * SMALL_BATCH, f"the stream stored {totals}"
    assert len(commits.times) == count, f"the stream made {len(commits.times)} commits"
    took = [after - before for before, after in pairwise(commits.times)]
    first, last = statistics.median(took[:ENDS]), statistics.median(took[-ENDS:])
    sizes = commits.sizes()
    shown = Shown("batches", f"first {ENDS}, median", f"last {ENDS}, median", "last of first")
    shown.add_row(f"{count:,}", f"{first:.3f} s", f"{last:.3f} s", f"{last / first:.2f}")
    console.print(shown)
    console.print(
        f"control folder: {commits.most_files} files at most; "
        f"{len(sizes)} at the end, {sum(sizes) / 2**10:,.0f} KiB"
    )
    return {
        "batches": count,
        "seconds": took,
        "first": first,
        "last": last,
        "control_files_at_most": commits.most_files,
        "control_files": len(sizes),
        "control_bytes": sum(sizes),
    }
