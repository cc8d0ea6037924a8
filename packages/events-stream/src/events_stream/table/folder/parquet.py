"""Reads how many rows parquet files have, and when these were received."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from events_schema.runtime.database import open_database
from events_schema.runtime.times import from_micros
from events_schema.tables.hours import Hours, Span, hour_runs, spans

MEMORY = "512MB"
"""How much memory DuckDB may use besides Spark; beyond that it uses the disk."""


FILES_PER_PIECE = 64
"""How many files are read before progress is reported."""

File = TypeVar("File")


def pieces(files: Sequence[File]) -> Iterator[Sequence[File]]:
    """Yield `files` in pieces of at most `FILES_PER_PIECE`."""
    for start in range(0, len(files), FILES_PER_PIECE):
        yield files[start : start + FILES_PER_PIECE]


@dataclass(frozen=True)
class DescribedFile:
    """A parquet file, its number of rows, and when they were received."""

    path: Path
    rows: int
    earliest_received: datetime | None = None
    latest_received: datetime | None = None
    received_hours: Hours = ()

    @property
    def received(self) -> Iterator[Span]:
        """The times in which its rows were received."""
        return spans(self.received_hours, self.earliest_received, self.latest_received)


_EVENTS = """
SELECT file_index, count(*), epoch_us(min(received_time)), epoch_us(max(received_time)),
       list(DISTINCT epoch_us(received_time) // 3_600_000_000)
           FILTER (received_time IS NOT NULL)
FROM read_parquet($files, hive_partitioning = false) GROUP BY 1
"""


def describe_events(
    files: Sequence[Path], progress: Callable[[], None] = lambda: None
) -> list[DescribedFile]:
    """Describe event files, in their order. `progress` is called now and then."""
    described: list[DescribedFile] = []
    for piece in pieces(files):
        found = {index: figures for index, *figures in _ask(_EVENTS, piece)}
        described += [_described(path, found.get(index)) for index, path in enumerate(piece)]
        progress()
    return described


def _described(path: Path, figures: Sequence[Any] | None) -> DescribedFile:
    if figures is None:
        return DescribedFile(path, 0)
    rows, first, last, hours = figures
    if first is None:
        return DescribedFile(path, rows)
    return DescribedFile(path, rows, from_micros(first), from_micros(last), hour_runs(hours))


def describe_failed_events(files: Sequence[Path]) -> list[DescribedFile]:
    """Describe failed-event files, in their order; they have no times of receipt."""
    if not files:
        return []
    rows = dict(_ask("SELECT file_name, num_rows FROM parquet_file_metadata($files)", files))
    return [DescribedFile(path, rows[str(path)]) for path in files]


def _ask(query: str, files: Sequence[Path]) -> list[tuple[Any, ...]]:
    with open_database(MEMORY) as database:
        return database.ask(query, files=list(map(str, files)))
