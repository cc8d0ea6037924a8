"""Measures the batch job on a table with a file for each minute, and on a compacted one."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table as Shown

from bench.analytics.run import timed
from bench.stream.minute_tables import make_never_compacted
from bench.stream.minutes import START
from bench.stream.year import Figures, run
from events_schema.tables.partitions import partition_files

DAYS = 7
ROUNDS = 3


def job(folder: Path, console: Console) -> Figures:
    """Measure and show the batch job on a week of minutes, compacted and not, in turns."""
    targets = {name: folder / name / "raw" for name in ("minutes", "compacted")}
    for target in targets.values():
        make_never_compacted(target, DAYS, console.print)
    run(folder, "events_stream", "compact", "--target", str(targets["compacted"]), "--apply")
    seconds: dict[str, list[float]] = {name: [] for name in targets}
    for turn in range(ROUNDS):
        for name in [*targets][:: 1 if turn % 2 else -1]:
            seconds[name].append(timed(_command(targets[name]), folder))
            console.print(f"round {turn + 1}: {name}: {seconds[name][-1]:.1f} s")
    many, few = seconds.values()
    ratio = statistics.median(map(float.__truediv__, many, few))
    files = {name: len(partition_files(target)) for name, target in targets.items()}
    shown = Shown("the batch job on a table", "files", "seconds, median", "range")
    for name, each in seconds.items():
        span = f"{min(each):.1f} to {max(each):.1f}"
        shown.add_row(name, f"{files[name]:,}", f"{statistics.median(each):.1f}", span)
    console.print(shown)
    console.print(f"minutes, compared with compacted: {ratio:.2f} times as long")
    return {"files": files, "seconds": seconds, "ratio": ratio}


def _command(target: Path) -> list[str]:
    return [
        sys.executable, "-m", "events_analytics", "run", "--source", str(target),
        "--target", str(target.with_name("enriched")), "--keep-versions", "0",
        "--processing-time", START.isoformat(),
    ]  # fmt: skip
