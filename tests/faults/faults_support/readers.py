"""Reads a table without Spark: with DuckDB and with pyarrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.dataset

from events_schema.tables.partitions import partition_files
from events_schema.tables.paths import TablePaths


class Row(NamedTuple):
    """A row of the table with the day in its path. Times are in microseconds."""

    event_time: int
    user_id: int
    app_name: str
    event_action: str | None
    event_category: str
    event_value: int | None
    event_id: str
    received_time: int
    event_date: str


class FailedRow(NamedTuple):
    """A failed event: its place on the topic, its value and the reason."""

    partition: int
    offset: int
    value: bytes
    reason: str


class Found(NamedTuple):
    """All rows that one reader sees."""

    rows: list[Row]
    failed: list[FailedRow]


Value = TypeVar("Value")

TRIES = 20
"""How often a reader that did not find a file reads again."""


def read_with_duckdb(paths: TablePaths) -> Found:
    """Read the table as users do, by a file pattern."""
    with duckdb.connect() as connection:

        def ask(columns: str, pattern: str) -> list[tuple[Any, ...]]:
            query = f"SELECT {columns} FROM read_parquet('{pattern}')"
            return connection.execute(query).fetchall()

        rows = failed = []
        if partition_files(paths.target):
            columns = [
                {
                    "event_time": "epoch_us(event_time)",
                    "received_time": "epoch_us(received_time)",
                    "event_date": "event_date::VARCHAR",
                }.get(name, name)
                for name in Row._fields
            ]
            rows = ask(", ".join(columns), f"{paths.target}/**/*.parquet")
        if any(paths.failed.glob("*.parquet")):
            failed = ask('partition, "offset", value, reason', f"{paths.failed}/*.parquet")
        return Found([Row(*row) for row in rows], [FailedRow(*row) for row in failed])


def read_with_pyarrow(paths: TablePaths) -> Found:
    """Read the table by its folder's name."""
    rows = failed = []
    if partition_files(paths.target):
        rows = _arrow_rows(paths.target, Row._fields)
    if any(paths.failed.glob("*.parquet")):
        failed = _arrow_rows(paths.failed, FailedRow._fields)
    return Found([Row(*row) for row in rows], [FailedRow(*row) for row in failed])


def _arrow_rows(folder: Path, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    found = pyarrow.dataset.dataset(folder, partitioning="hive").to_table(columns=list(columns))
    as_numbers = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in found.columns
    ]
    return list(zip(*(column.to_pylist() for column in as_numbers), strict=True))


def steadily(read: Callable[[], Value]) -> Value:
    """Return what `read` returns; call it again if a folder was exchanged under it."""
    for _ in range(TRIES):
        with suppress(FileNotFoundError), _as_missing_files():
            return read()
    return read()


@contextmanager
def _as_missing_files() -> Iterator[None]:
    """Raise `FileNotFoundError` where DuckDB says that a file was not found."""
    try:
        yield
    except duckdb.IOException as error:
        if not re.search("No such file|No files found", str(error)):
            raise
        raise FileNotFoundError(str(error)) from error


READERS: Mapping[str, Callable[[TablePaths], Found]] = {
    "DuckDB": read_with_duckdb,
    "pyarrow": read_with_pyarrow,
}
