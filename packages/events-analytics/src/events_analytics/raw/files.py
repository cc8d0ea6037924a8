"""The list of the raw table's files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from events_analytics.errors import NoData
from events_analytics.raw.footer import check_columns, read_footer, unreadable
from events_analytics.raw.steady import noticing_gone
from events_analytics.versions.manifest import FileRows
from events_schema import Contract, column_names
from events_schema.runtime.database import Database, open_database, query_errors
from events_schema.runtime.errors import SourceMissing, TableDamaged
from events_schema.tables.listing import list_table
from events_schema.tables.locations import duckdb_path
from events_schema.tables.partitions import partition_day
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import Snapshot


@dataclass(frozen=True)
class RawFile:
    """A parquet file: its path relative to the table's folder, and its rows."""

    name: str
    rows: int
    bytes: int = 0
    """The compressed size of the columns that the enriched table needs; 0 if not determined."""

    @property
    def day(self) -> str | None:
        """The value of the file's partition, or None in a plain folder."""
        return partition_day(self.name.partition("/")[0])


@dataclass(frozen=True)
class RawFiles:
    """The parquet files below `folder` at one moment, by day; later files are not read.

    `commit` is the newest commit of the table's log at that moment, None for a plain folder.
    """

    folder: Path
    files: tuple[RawFile, ...]
    first_day: date | None = None
    commit: int | None = None

    @property
    def paths(self) -> list[Path]:
        """The paths of the files."""
        return [self.folder / file.name for file in self.files]

    @property
    def rows(self) -> int:
        """The number of rows in the files."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """The compressed size of the columns that the enriched table needs, in bytes."""
        return sum(file.bytes for file in self.files)

    @property
    def manifest(self) -> tuple[FileRows, ...]:
        """The files as listed in a manifest."""
        return tuple(FileRows(name=file.name, rows=file.rows) for file in self.files)

    def check_not_empty(self) -> None:
        """Check that there are rows. Raises `NoData`."""
        if not self.rows:
            what = "only parquet files without rows" if self.files else "no parquet files"
            raise NoData(
                f"source {self.folder} has {what}{self._first_day()}; "
                f"wait for events, or give --allow-empty"
            )

    def _first_day(self) -> str:
        return f" of {self.first_day} or later" if self.first_day else ""

    def since(self, day: date) -> RawFiles:
        """Return the files of `day` and later days.

        Raises `SourceMissing` if the files are not partitioned by day.
        """
        plain = [file.name for file in self.files if file.day is None]
        if plain:
            raise SourceMissing(
                f"source {self.folder} has {plain[0]} outside of a day's folder; --since needs a "
                f"raw table from events-stream: leave it out"
            )
        first = day.isoformat()
        kept = tuple(file for file in self.files if file.day and file.day >= first)
        return replace(self, files=kept, first_day=day)

    def split(self, count: int) -> list[RawFiles]:
        """Split the files, in order, into at most `count` runs of about the same size in bytes."""
        total = max(self.bytes, 1)
        runs: dict[int, list[RawFile]] = {}
        before = 0
        for file in self.files:
            run = (before + file.bytes // 2) * count // total
            runs.setdefault(min(run, count - 1), []).append(file)
            before += file.bytes
        return [replace(self, files=tuple(files)) for files in runs.values()]


def list_raw(folder: Path, contract: Contract[Any]) -> RawFiles:
    """List and check the files of the raw table, or of a plain folder of parquet files.

    Raises `DatabaseFailed`, `FileNotFoundError` if a file is gone meanwhile, and errors as
    `read_raw_files`.
    """
    listing = list_table(folder)
    files = read_raw_files(folder, listing.snapshot, listing.files, contract)
    with noticing_gone(listing.files):
        sizes = _column_bytes(listing.files, column_names(contract.event))
    sized = (
        replace(file, bytes=max(sizes[str(path)], 0))
        for file, path in zip(files, listing.files, strict=True)
    )
    commit = None if listing.snapshot is None else listing.snapshot.number
    return RawFiles(folder, tuple(sized), commit=commit)


def read_raw_files(
    folder: Path, snapshot: Snapshot | None, paths: Sequence[Path], contract: Contract[Any]
) -> tuple[RawFile, ...]:
    """Read and check the footers of files of the raw table, or of a plain folder of parquet files.

    The snapshot is the table's, and lists the files at `paths`. It is None for a plain folder, in
    which additional columns are ignored.

    Raises `ColumnsMissing` or `UnreadableFile` with the file's name, `NotAnEvolution` if the table
    has own fields that `contract` lacks, `TableDamaged` if a file has other rows than the table's
    log says, and `FileNotFoundError` if a file is gone.
    """
    if snapshot is not None:
        contract.check_evolves(snapshot.own_types, f"the table {folder}")
    with noticing_gone(paths):
        files = tuple(_read_file(folder, path, contract) for path in paths)
        if snapshot is not None:
            for file in files:
                _check_rows(folder, file, snapshot.table_files[f"{folder.name}/{file.name}"].rows)
    return files


def _read_file(folder: Path, path: Path, contract: Contract[Any]) -> RawFile:
    footer = read_footer(path)
    check_columns(path, footer, contract.stored)
    return RawFile(str(path.relative_to(folder)), footer.rows)


def _check_rows(folder: Path, file: RawFile, logged: int) -> None:
    if file.rows != logged:
        raise TableDamaged(
            f"{folder / file.name} has {file.rows} rows, but the log {TablePaths(folder).log} says "
            f"{logged}; restore the file from a backup"
        )


def _column_bytes(paths: Sequence[Path], columns: Sequence[str]) -> Counter[str]:
    """Return the compressed size of `columns` in each file, in bytes.

    This uses DuckDB, because pyarrow aborts the process if this part of a footer is damaged.
    """
    if not paths:
        return Counter()
    with query_errors(), open_database() as database:
        try:
            return _ask_bytes(database, paths, columns)
        except duckdb.Error:
            for path in paths:  # to find the file that cannot be read
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
