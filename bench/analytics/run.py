"""Compares the batch job with a plain copy, a textbook version and DuckDB.

Each runs as a separate process, in turns, and is timed from start to end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from pyarrow import parquet
from rich.console import Console
from rich.table import Table

from bench.analytics.baselines import BASELINES
from bench.analytics.event_tables import PROCESSING_TIME, make_raw_table
from bench.machine import machine

ROOT = Path(__file__).parents[2]

RUNS: Mapping[str, tuple[str, ...]] = {
    "run": (),
    "run --layout users": ("--layout", "users"),
    "run --sort-by user_id": ("--sort-by", "user_id"),
}
DEFAULT = ("copy", "textbook", "duckdb", "run")


def main() -> None:
    """Run the benchmark; print a table and write JSON."""
    parser = argparse.ArgumentParser(prog="bench analytics", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {[*BASELINES, *RUNS]}")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--skew", type=float, default=0, help="the share of one user's events")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--driver-memory", default="1g")
    parser.add_argument("--json", type=Path, default=Path("bench-analytics.json"))
    given = parser.parse_args()
    names = given.names or DEFAULT
    if not {*names} <= {*BASELINES, *RUNS}:
        parser.error(f"NAME must be one of {', '.join([*BASELINES, *RUNS])}")
    with tempfile.TemporaryDirectory(prefix="events-bench-") as scratch:
        folder = Path(scratch)
        make_raw_table(
            folder / "raw",
            events=given.events,
            users=given.users,
            days=given.days,
            skew=given.skew,
        )
        seconds = measure(names, folder, given)
        sizes = {name: file_sizes(folder / str(number)) for number, name in enumerate(names)}
    Console().print(table(seconds, sizes))
    figures = {
        "benchmark": "analytics",
        "machine": machine("pyspark", "duckdb", "pyarrow"),
        "asked_for": {name: str(value) for name, value in vars(given).items()},
        "seconds": seconds,
        "file_bytes": sizes,
    }
    given.json.write_text(json.dumps(figures, indent=2))


def measure(
    names: tuple[str, ...] | list[str], folder: Path, given: argparse.Namespace
) -> dict[str, list[float]]:
    """Return the seconds of each name, by round. The order in a round is random but repeatable.

    In a fixed order, one would always follow the same other, which may leave the machine busy.
    """
    chance = random.Random(given.rounds)  # noqa: S311  # not a secret
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(given.rounds):
        for name in chance.sample(names, len(names)):
            target = folder / str(names.index(name))
            if name in BASELINES:
                subprocess.run(["rm", "-rf", str(target)], check=True)
            took = timed(command(name, folder, target, given), folder)
            seconds[name].append(took)
            print(f"round {round_ + 1}: {name}: {took:.1f} s", flush=True)
    return seconds


def command(name: str, folder: Path, target: Path, given: argparse.Namespace) -> list[str]:
    """Return the command line of a baseline, or of the job."""
    source, memory = str(folder / "raw"), given.driver_memory
    if name in BASELINES:
        baselines = [sys.executable, "-m", "bench.analytics.baselines"]
        return [*baselines, name, source, str(target), memory]
    return [
        sys.executable, "-m", "events_analytics", "run", "--source", source,
        "--target", str(target), "--processing-time", PROCESSING_TIME.isoformat(),
        "--driver-memory", memory, "--keep-versions", "0", *RUNS[name],
    ]  # fmt: skip


def timed(words: list[str], folder: Path) -> float:
    """Return how many seconds a command takes; it must succeed."""
    began = time.monotonic()
    path = {"PYTHONPATH": str(ROOT)}
    subprocess.run(words, cwd=folder, check=True, capture_output=True, env={**os.environ, **path})
    return time.monotonic() - began


def file_sizes(target: Path) -> list[int]:
    """Return the sizes in bytes of the files that a command wrote; check their footers."""
    files = sorted(target.glob("*.parquet")) if target.is_dir() else [target]
    return [path.stat().st_size for path in files if parquet.read_metadata(path).num_columns]


def table(seconds: Mapping[str, list[float]], sizes: Mapping[str, list[int]]) -> Table:
    """Return the figures as a table. A ratio is the median of the ratios in each round."""
    shown = Table("what", "seconds, median", "range", "of copy", "of textbook", "files, MiB")
    for name, took in seconds.items():
        ratios = [
            f"{statistics.median(map(float.__truediv__, took, seconds[other])):.2f}"
            if other in seconds
            else ""
            for other in ("copy", "textbook")
        ]
        files = ", ".join(f"{size / 2**20:.0f}" for size in sizes[name][:6])
        span = f"{min(took):.1f} to {max(took):.1f}"
        shown.add_row(name, f"{statistics.median(took):.1f}", span, *ratios, files)
    return shown


if __name__ == "__main__":
    main()
