"""Runs the stream's command, and kills its Java while DuckDB reads its first batch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import psutil

from events_stream import cli
from events_stream.records import writer as record_writer
from events_stream.table.folder.parquet import DescribedFile, describe_events

BUSY_SECONDS = 2.0
"""Longer than the stream takes to notice that Java is gone."""


def describe_alone(
    files: Sequence[Path], progress: Callable[[], None] = lambda: None
) -> list[DescribedFile]:
    """Kill Java, keep DuckDB busy, then do what `describe_events` does."""
    for child in psutil.Process().children(recursive=True):
        child.kill()
    until = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < until:
        duckdb.execute("SELECT count(*) FROM range(10_000_000)").fetchall()
    return describe_events(files, progress)


if __name__ == "__main__":
    vars(record_writer)["describe_events"] = describe_alone
    sys.exit(cli.main(sys.argv[1:]))
