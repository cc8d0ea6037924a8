"""The raw table's files, listed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from events_analytics.errors import NoData
from events_analytics.raw.footer import check_columns, check_evolution, read_footer, unreadable
from events_analytics.versions.manifest import FileRows
from events_schema import Contract, column_names
from events_schema.runtime.database import Database, open_database, query_errors
from events_schema.runtime.errors import SourceMissing
from events_schema.tables.locations import duckdb_path, plain_files
from events_schema.tables.partitions import partition_day, partition_files


@dataclass(frozen=True)
class RawFile:
    """A parquet file: its name below the folder, and its rows."""

    name: str
    rows: int
    bytes: int = 0
    """Of the columns that become the enriched table's; 0 where nobody asked."""

    @property
    def day(self) -> str | None:
        """The value of the file's partition; None in a plain folder."""
        return partition_day(self.name.partition("/")[0])


@dataclass(frozen=True)
class RawFiles:
    """The parquet files under `folder` at one moment, by day; what comes later is not read."""

    folder: Path
    files: tuple[RawFile, ...]
    first_day: date | None = None

    @property
    def rows(self) -> int:
        """How many rows the files hold."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """How many bytes the files' columns that become the enriched table's take."""
        return sum(file.bytes for file in self.files)

    @property
    def manifest(self) -> tuple[FileRows, ...]:
        """The files, as a manifest names them."""
        return tuple(FileRows(name=file.name, rows=file.rows) for file in self.files)

    def check_not_empty(self) -> None:
        """Raise `NoData` where there are no rows."""
        if not self.rows:
            what = "only parquet files without rows" if self.files else "no parquet files"
            raise NoData(
                f"source {self.folder} holds {what}{self._first_day()}; "
                f"wait for events, or give --allow-empty"
            )

    def _first_day(self) -> str:
        return f" of {self.first_day} or later" if self.first_day else ""

    def since(self, day: date) -> RawFiles:
        """Return the files of `day` and of later ones.

        Raises `SourceMissing` where the files do not lie by day.
        """
        plain = [file.name for file in self.files if file.day is None]
        if plain:
            raise SourceMissing(
                f"source {self.folder} holds {plain[0]} outside a folder of one day; --since "
                f"needs the raw table that events-stream makes: leave it out"
            )
        first = day.isoformat()
        kept = tuple(file for file in self.files if file.day and file.day >= first)
        return replace(self, files=kept, first_day=day)

    def split(self, count: int) -> list[RawFiles]:
        """Return at most `count` runs of the files, in order, of about equal bytes."""
        total = max(self.bytes, 1)
        runs: dict[int, list[RawFile]] = {}
        before = 0
        for file in self.files:
            run = (before + file.bytes // 2) * count // total
            runs.setdefault(min(run, count - 1), []).append(file)
            before += file.bytes
        return [replace(self, files=tuple(files)) for files in runs.values()]


def list_raw(folder: Path, contract: Contract[Any]) -> RawFiles:
    """List the raw table in `folder`, or the parquet files of a plain folder, checking each.

    Raises `ColumnsMissing` and `UnreadableFile`, naming the file, `DatabaseFailed`, and
    `NotAnEvolution` for a table of the stream that has own fields which `contract` lacks.
    """
    paths = sorted([*partition_files(folder), *plain_files(folder)])
    files = [read_raw_file(folder, path, contract) for path in paths]
    sizes = _column_bytes(paths, column_names(contract.event))
    sized = zip(files, paths, strict=True)
    return RawFiles(
        folder, tuple(replace(file, bytes=max(sizes[str(path)], 0)) for file, path in sized)
    )


def read_raw_file(folder: Path, path: Path, contract: Contract[Any]) -> RawFile:
    """Return what the footer of the file at `path`, below `folder`, says, having checked it.

    Raises `ColumnsMissing`, `UnreadableFile` and `NotAnEvolution`.
    """
    footer = read_footer(path)
    check_evolution(folder, footer, contract)
    check_columns(path, footer, contract.stored)
    return RawFile(str(path.relative_to(folder)), footer.rows)


def _column_bytes(paths: Sequence[Path], columns: Sequence[str]) -> Counter[str]:
    """Return how much `columns` take in each file, compressed.

    By DuckDB, since pyarrow ends the process where this part of a footer is damaged.
    """
    if not paths:
        return Counter()
    with query_errors(), open_database() as database:
        try:
            return _ask_bytes(database, paths, columns)
        except duckdb.Error:
            for path in paths:  # for the name of the one
                try:
                    _ask_bytes(database, [path], columns)
                except duckdb.IOException:
                    raise
                except duckdb.Error as error:
                    raise unreadable(path, error) from None
            raise


def _ask_bytes(database: Database, paths: Sequence[Path], columns: Sequence[str]) -> Counter[str]:
    found = database.ask(
        "SELECT file_name, sum(total_compressed_size)::BIGINT FROM parquet_metadata($paths) "
        "WHERE path_in_schema IN (SELECT unnest($columns)) GROUP BY file_name",
        paths=[duckdb_path(path) for path in paths],
        columns=list(columns),
    )
    return Counter(dict(found))
