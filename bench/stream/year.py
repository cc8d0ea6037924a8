"""Measures tables with a file for each minute of a year: compacted each day, and never compacted.

Everything that is measured runs in a new process, whose memory is its own.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table as Shown

from bench.stream.minute_tables import make_compacted, make_never_compacted
from bench.stream.minutes import MINUTES_PER_DAY
from events_loadgen.processes.child import ChildProcess
from events_schema.tables.commit_log import fold_numbers, fold_path
from events_schema.tables.partitions import partition_files
from events_schema.tables.paths import TablePaths

BATCHES = 300
"""How many batches are timed. There is a fold after every 100."""
LOOK_SECONDS = 0.02
MEBIBYTE = 1 << 20

Figures = dict[str, object]


@dataclass(frozen=True)
class Ran:
    """A process that has ended: its seconds, its peak memory in bytes, and its output."""

    seconds: float
    peak: int
    output: str


def run(folder: Path, *words: str, lines: int | None = None) -> Ran:
    """Run Python with `words` until it exits with 0; with `lines`, kill -9 it after that many."""
    command, began, peak = [sys.executable, "-m", *words], time.monotonic(), 0
    with ChildProcess(words[0], command, log=folder / "log") as process:
        while process.exit_code is None:
            peak = max(peak, _peak(process.pid))
            if lines is not None and process.output().count("\n") >= lines:
                process.kill()
                break
            time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - began
        if lines is None and process.exit_code != 0:
            process.check()
        return Ran(seconds, peak, process.output())


def _peak(pid: int) -> int:
    """Return the most memory that the process has used until now, in bytes."""
    # Not `ru_maxrss`, which also counts the memory of the process that started it.
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8"))
    return int(found[1]) * 1024 if found else 0  # there is none once it has ended


@dataclass(frozen=True)
class Measured:
    """A table's sizes, and the seconds and the memory that it costs."""

    files: int
    fold_bytes: int
    list_seconds: float
    status_seconds: float
    start_seconds: float
    batch_median: float
    batch_worst: float
    python_bytes: int


def measure(target: Path, minute: int) -> Measured:
    """Measure the table at `target`, whose next minute has this number, and store some more."""
    folder, paths = target.parent, TablePaths(target)
    files = [*partition_files(target), *paths.failed.glob("*.parquet")]
    listed = json.loads(run(folder, "bench.stream.opened", "list", str(target)).output)
    status = run(folder, "events_stream", "status", "--target", str(target))
    opened = run(folder, "bench.stream.opened", "start", str(target), str(minute), str(BATCHES))
    seconds = json.loads(opened.output)
    fold = fold_path(paths.log, max(fold_numbers(paths.log)))
    return Measured(
        files=len(files),
        fold_bytes=fold.stat().st_size,
        list_seconds=listed["list"],
        status_seconds=status.seconds,
        start_seconds=seconds["start"],
        batch_median=statistics.median(seconds["batches"]),
        batch_worst=max(seconds["batches"]),
        python_bytes=opened.peak,
    )


def year(folder: Path, console: Console, *, days: int) -> Figures:
    """Measure and show a table that was compacted each day, and one that never was."""
    minutes = days * MINUTES_PER_DAY
    console.print(f"{days} days of minutes: {minutes:,} commits")
    daily, never = folder / "daily" / "raw", folder / "never" / "raw"
    make_compacted(daily, days, console.print)
    measured = {"compacted daily": measure(daily, minutes)}
    make_never_compacted(never, days, console.print)
    measured["never compacted"] = measure(never, minutes)
    runs = compact_once(never, days // 2, console)
    measured["then compacted"] = measure(never, minutes + BATCHES)
    _show(measured, runs, console)
    return {
        "days": days,
        "measured": {name: asdict(each) for name, each in measured.items()},
        "compactions": [{"seconds": ran.seconds, "peak_bytes": ran.peak} for ran in runs],
    }


def compact_once(target: Path, days: int, console: Console) -> list[Ran]:
    """Compact the table; kill the command after `days` days, and run it again."""
    words = "events_stream", "compact", "--target", str(target), "--apply"
    before = _rows(target)
    first = run(target.parent, *words, lines=days)
    console.print(f"killed after {first.seconds:.1f} s: {first.output.splitlines()[-1]}")
    second = run(target.parent, *words)
    console.print(f"continued for {second.seconds:.1f} s: {second.output.splitlines()[-1]}")
    assert _rows(target) == before, "compaction changed the number of rows"
    return [first, second]


def _rows(target: Path) -> int:
    with duckdb.connect() as connection:
        files = f"{target}/*/*.parquet"
        found = connection.execute("SELECT count(*) FROM read_parquet($1)", [files]).fetchall()
    return int(found[0][0])


def _show(measured: Mapping[str, Measured], runs: list[Ran], console: Console) -> None:
    shown = Shown("table", *measured)
    every = measured.values()
    shown.add_row("files", *(f"{each.files:,}" for each in every))
    shown.add_row("fold, MiB", *(f"{each.fold_bytes / MEBIBYTE:.1f}" for each in every))
    shown.add_row("list_table, s", *(f"{each.list_seconds:.2f}" for each in every))
    shown.add_row("events-stream status, s", *(f"{each.status_seconds:.2f}" for each in every))
    shown.add_row("start, s", *(f"{each.start_seconds:.2f}" for each in every))
    shown.add_row("batch, s, median", *(f"{each.batch_median:.3f}" for each in every))
    shown.add_row(f"worst of {BATCHES}", *(f"{each.batch_worst:.3f}" for each in every))
    shown.add_row("peak of Python, MiB", *(f"{each.python_bytes / MEBIBYTE:.0f}" for each in every))
    console.print(shown)
    seconds, peak = sum(ran.seconds for ran in runs), max(ran.peak for ran in runs)
    console.print(
        f"compaction of the never compacted table, killed half way and run again: {seconds:.0f} s, "
        f"peak {peak / MEBIBYTE:.0f} MiB"
    )
