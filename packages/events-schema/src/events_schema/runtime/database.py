"""Runs DuckDB over parquet files, with bounded memory, and retries if files disappear."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from events_schema.errors import EventsError
from events_schema.runtime.errors import DatabaseFailed, TableReplaced

MEMORY = "1GB"
"""DuckDB's memory limit; beyond it, DuckDB uses a temporary folder."""

READ_TRIES = 5
RETRY_SECONDS = 0.2

_INTERRUPTED = "Query interrupted"
_LONGEST = 500
"""The most characters of a cause that an error shows."""

T = TypeVar("T")


@dataclass(frozen=True)
class Database:
    """A DuckDB connection for reading some files once."""

    connection: duckdb.DuckDBPyConnection

    def ask(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Raises `KeyboardInterrupt` if a signal handler did."""
        try:
            return self.connection.execute(sql, parameters or None).fetchall()
        except RuntimeError as error:
            if str(error) == _INTERRUPTED:  # DuckDB hides the exception of the signal handler
                raise KeyboardInterrupt from None
            raise

    def one(self, sql: str, **parameters: object) -> tuple[Any, ...]:
        """Return the only row of a query."""
        (row,) = self.ask(sql, **parameters)
        return row


@contextmanager
def open_database(memory: str | None = None, spill: Path | None = None) -> Iterator[Database]:
    """Open DuckDB with at most `memory` (default: 1 GB), and delete its temporary files at the end.

    They are in the folder `spill`, or in a new temporary folder.
    """
    made = tempfile.TemporaryDirectory(prefix="events-duckdb-") if spill is None else nullcontext()
    with (
        made as folder,
        duckdb.connect(
            config={
                "memory_limit": memory or MEMORY,
                "temp_directory": str(spill or folder),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
            }
        ) as connection,
    ):
        # If INT96 times are mixed with others, DuckDB reads the INT96 ones in this time zone.
        connection.execute("SET TimeZone = 'UTC'")
        yield Database(connection)


@contextmanager
def query_errors() -> Iterator[None]:
    """Convert DuckDB's errors to `DatabaseFailed`, whose one line names the cause."""
    try:
        yield
    except duckdb.Error as error:
        raise _failed(error) from None


def read_steadily(
    listed: Callable[[], Sequence[Path]], read: Callable[[Database, Sequence[Path]], T]
) -> T:
    """Return the result of `read` for the files that `listed` returns.

    A file may disappear meanwhile, because there is a new version or the table's owner has cleaned
    up. Then everything is listed and read again, a few times. Raises `TableReplaced` if files
    keep disappearing; otherwise `DatabaseFailed` and the errors of `listed` and `read`.
    """
    for attempt in range(READ_TRIES):
        if attempt:
            time.sleep(RETRY_SECONDS)
        files: Sequence[Path] = ()
        try:
            files = listed()
            with open_database() as database:
                return read(database, files)
        except FileNotFoundError as error:
            if error.filename is None:  # not a file of the table, but a temporary folder
                raise
            gone = str(error.filename)
        except (EventsError, duckdb.Error) as error:
            missing = next((path for path in files if not path.exists()), None)
            if missing is None:
                raise (_failed(error) if isinstance(error, duckdb.Error) else error) from None
            gone = str(missing)
    raise TableReplaced(
        f"{gone} disappeared before it was read, after {READ_TRIES - 1} retries; "
        f"try again when the table changes less often"
    )


def _failed(error: duckdb.Error) -> DatabaseFailed:
    if isinstance(error, duckdb.OutOfMemoryException):
        return DatabaseFailed(
            f"DuckDB needs more than {MEMORY} of memory and more space in "
            f"{tempfile.gettempdir()} ({first_line(error)}); free some space there, or set "
            f"TMPDIR to another folder"
        )
    return DatabaseFailed(f"DuckDB cannot read the tables: {first_line(error)}")


def first_line(error: duckdb.Error) -> str:
    """Return what DuckDB said, without the query, which may follow and have values of events."""
    return str(error).partition("\n")[0][:_LONGEST]
