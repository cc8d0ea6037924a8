"""DuckDB over parquet files, with bounded memory, and files that go while they are read."""

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
"""What DuckDB may take; beyond that it uses a temporary folder."""

READ_TRIES = 5
RETRY_SECONDS = 0.2

_INTERRUPTED = "Query interrupted"

T = TypeVar("T")


@dataclass(frozen=True)
class Database:
    """A DuckDB that exists as long as one reading of some files."""

    connection: duckdb.DuckDBPyConnection

    def ask(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Raises `KeyboardInterrupt` where a signal handler did."""
        try:
            return self.connection.execute(sql, parameters or None).fetchall()
        except RuntimeError as error:
            if str(error) == _INTERRUPTED:  # DuckDB hides what the handler of a signal raised
                raise KeyboardInterrupt from None
            raise

    def one(self, sql: str, **parameters: object) -> tuple[Any, ...]:
        """Return the one row of a query."""
        (row,) = self.ask(sql, **parameters)
        return row


@contextmanager
def open_database(memory: str | None = None, spill: Path | None = None) -> Iterator[Database]:
    """Open a DuckDB of bounded `memory` (default: 1 GB), whose temporary files end with it.

    They lie in the folder `spill`, or in one that is made for them.
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
        # Where INT96 and other times meet, DuckDB takes the former for times of this zone.
        connection.execute("SET TimeZone = 'UTC'")
        yield Database(connection)


@contextmanager
def query_errors() -> Iterator[None]:
    """Turn what DuckDB raises into `DatabaseFailed`, whose one line names the cause."""
    try:
        yield
    except duckdb.Error as error:
        raise _failed(error) from None


def read_steadily(
    listed: Callable[[], Sequence[Path]], read: Callable[[Database, Sequence[Path]], T]
) -> T:
    """Return what `read` makes of the files that `listed` lists.

    Where one of them is gone meanwhile, a new version is there, or the table's owner has
    tidied up: all is listed and read anew, a few times. Raises `TableReplaced`; where the files
    are all there, `DatabaseFailed` and what `listed` and `read` raise.
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
            if error.filename is None:  # none of the files, but a folder for temporary ones
                raise
            gone = str(error.filename)
        except (EventsError, duckdb.Error) as error:
            missing = next((path for path in files if not path.exists()), None)
            if missing is None:
                raise (_failed(error) if isinstance(error, duckdb.Error) else error) from None
            gone = str(missing)
    raise TableReplaced(
        f"{gone} was gone before it was read, as were others in {READ_TRIES - 1} tries before; "
        f"try again when the table is quiet"
    )


def _failed(error: duckdb.Error) -> DatabaseFailed:
    if isinstance(error, duckdb.OutOfMemoryException):
        return DatabaseFailed(
            f"DuckDB needs more than {MEMORY} and room in {tempfile.gettempdir()} "
            f"({_first_line(error)}); make room there, or name another folder by TMPDIR"
        )
    return DatabaseFailed(f"DuckDB cannot read the tables: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
