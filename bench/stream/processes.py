"""Measures the command `events-stream run` with a steady rate and with a backlog."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table as Shown

from bench.stream.filled_topic import NOON, Events, fill, producing
from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.waiting import wait_until
from events_schema.runtime.brokers import ACK_TIMEOUT_SECONDS
from events_schema.tables.commit_log import numbered
from events_schema.tables.paths import TablePaths
from events_stream.table.folder.commit import Commit
from events_stream.table.folder.log import read_state
from events_stream.table.position import Counts

CORES = 2
RATE = 1000
HOUR = timedelta(hours=1)
FILLED = RATE * int(HOUR.total_seconds())
LOOK_SECONDS = 0.05
SAMPLE_SECONDS = 0.2
DRAIN_SECONDS = 7200

Figures = dict[str, object]


@dataclass(frozen=True)
class Stream:
    """A topic, and the table in `folder` to which `events-stream run` writes it."""

    brokers: str
    topic: str
    folder: Path

    @property
    def paths(self) -> TablePaths:
        """The paths of the table."""
        return TablePaths.at(str(self.folder / "raw"))

    def run(self, *flags: str) -> ChildProcess:
        """Start the stream with additional `flags`."""
        # fmt: off
        command = [
            sys.executable, "-m", "events_stream", "run", "--master", f"local[{CORES}]",
            "--brokers", self.brokers, "--topic", self.topic, "--target", str(self.folder / "raw"),
            "--checkpoint", str(self.folder / "checkpoint"), *flags,
        ]
        # fmt: on
        return ChildProcess("events-stream", command, log=self.folder / "log")

    def drain(self) -> None:
        """Store all records of the topic."""
        with self.run("--available-now") as process:
            process.wait(seconds=DRAIN_SECONDS)

    def check_stored(self, events: int) -> None:
        """Assert that the table has `events` events, and that nothing else was read."""
        totals = read_state(self.paths.log).position.totals
        assert totals == Counts(read=events, stored=events), f"the stream stored {totals}"


@dataclass(frozen=True)
class Batch:
    """A batch of a steady stream: its rows, and the seconds from its trigger to each step."""

    rows: int
    planned: float
    committed: float
    readable: float


def steady(brokers: str, folder: Path, console: Console, *, minutes: int) -> Figures:
    """Measure and show how soon after its trigger a batch is readable.

    The table already holds an hour of events."""
    stream = Stream(brokers, "steady", folder / "steady")
    events = Events(RATE, first=datetime.now(UTC) - HOUR)
    fill(brokers, stream.topic, events, FILLED)
    stream.drain()
    stream.check_stored(FILLED)
    # The next batch starts with the process; the ones after that start on the minute.
    drained = read_state(stream.paths.log).number
    with (
        producing(brokers, stream.topic, events, start=FILLED),
        stream.run("--trigger", "1 minute") as process,
    ):
        batches = [_stored(process, stream.paths, drained + 2 + n) for n in range(minutes)]
    readable = [batch.readable for batch in batches]
    shown = Shown("rows", "planned, s after the trigger", "committed", "readable")
    for batch in batches:
        seconds = (batch.planned, batch.committed, batch.readable)
        shown.add_row(f"{batch.rows:,}", *(f"{each:.2f}" for each in seconds))
    console.print(shown)
    console.print(
        f"steady {RATE:,} events/s over a table of {FILLED:,}: readable after "
        f"{statistics.median(readable):.2f} s (median), {max(readable):.2f} s (at most)"
    )
    return {
        "events_per_second": RATE,
        "stored_before": FILLED,
        "batches": [asdict(batch) for batch in batches],
        "readable_median": statistics.median(readable),
        "readable_max": max(readable),
    }


def _stored(process: ChildProcess, paths: TablePaths, number: int) -> Batch:
    """Wait until commit `number` and its files exist; return the batch."""
    path = paths.log / f"{numbered(number)}.json"

    def there() -> bool:
        process.check()
        return path.exists()

    wait_until(there, f"commit {number}", seconds=180, every=LOOK_SECONDS)
    commit = Commit.model_validate_json(path.read_bytes())
    finals = [paths.target.parent / file.final for file in commit.files]
    wait_until(
        lambda: all(final.exists() for final in finals), "its files", seconds=60, every=LOOK_SECONDS
    )
    readable = datetime.now(UTC)
    assert commit.complete_up_to is not None, "a batch was full: the stream cannot keep up"
    planned = commit.complete_up_to + timedelta(seconds=ACK_TIMEOUT_SECONDS)
    trigger = planned.replace(second=0, microsecond=0)
    times = (planned, commit.committed_at, readable)
    return Batch(commit.counts.stored, *((each - trigger).total_seconds() for each in times))


@dataclass
class Memory:
    """The stream's peak memory in bytes: Python, Java, and both at the same moment."""

    python: int = 0
    java: int = 0
    together: int = 0

    def look(self, process: psutil.Process) -> None:
        """Update the peaks with the current memory."""
        with suppress(psutil.NoSuchProcess):  # it has just exited
            python = process.memory_info().rss
            # A child that Java has forked but not yet replaced has a thread's name and shows all of
            # Java's memory. It must not be counted as a second Java.
            children = process.children(recursive=True)
            java = sum(each.memory_info().rss for each in children if each.name() == "java")
            self.python = max(self.python, python)
            self.java = max(self.java, java)
            self.together = max(self.together, python + java)


@contextmanager
def watching_memory(process: ChildProcess) -> Iterator[Memory]:
    """Measure the memory of `process` until the block ends."""
    memory, over = Memory(), threading.Event()
    watched = psutil.Process(process.pid)

    def look() -> None:
        while not over.wait(SAMPLE_SECONDS):
            memory.look(watched)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def backlog(brokers: str, folder: Path, console: Console, *, events: int) -> Figures:
    """Measure and show how fast a backlog is stored, and how much memory that takes."""
    stream = Stream(brokers, "backlog", folder / "backlog")
    fill(brokers, stream.topic, Events(RATE, first=NOON), events)
    start = time.monotonic()
    with (
        stream.run("--available-now", "--driver-memory", "2g") as process,
        watching_memory(process) as memory,
    ):
        process.wait(seconds=DRAIN_SECONDS)
    seconds = time.monotonic() - start
    stream.check_stored(events)
    shown = Shown("events", "seconds", "events/s", "peak MiB", "Java", "Python")
    shown.add_row(
        f"{events:,}",
        f"{seconds:.1f}",
        f"{events / seconds:,.0f}",
        *(f"{most / 2**20:,.0f}" for most in (memory.together, memory.java, memory.python)),
    )
    console.print(shown)
    return {"events": events, "seconds": seconds, "rss_bytes_at_most": asdict(memory)}
