"""Reads how many rows parquet files have, and when these were received."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from events_schema.runtime.database import open_database
from events_schema.runtime.times import from_micros

MEMORY = "512MB"
"""How much memory DuckDB may use besides Spark; beyond that it uses the disk."""


@dataclass(frozen=True)
class DescribedFile:
    """A parquet file, its number of rows, and when the first and last were received."""

    path: Path
    rows: int
    earliest_received: datetime | None = None
    latest_received: datetime | None = None


def describe_events(files: Sequence[Path]) -> list[DescribedFile]:
    """Describe event files, in their order."""
    if not files:
        return []
    found = _ask(
        "SELECT file_index, count(*), epoch_us(min(received_time)), epoch_us(max(received_time)) "
        "FROM read_parquet($files) GROUP BY 1",
        files,
    )
    by_index = {
        index: (rows, from_micros(first), from_micros(last)) for index, rows, first, last in found
    }
    return [
        DescribedFile(path, *by_index.get(index, (0, None, None)))
        for index, path in enumerate(files)
    ]


def describe_failed_events(files: Sequence[Path]) -> list[DescribedFile]:
    """Describe failed-event files, in their order; they have no times of receipt."""
    if not files:
        return []
    rows = dict(_ask("SELECT file_name, num_rows FROM parquet_file_metadata($files)", files))
    return [DescribedFile(path, rows[str(path)]) for path in files]


def _ask(query: str, files: Sequence[Path]) -> list[tuple[Any, ...]]:
    with open_database(MEMORY) as database:
        return database.ask(query, files=list(map(str, files)))
