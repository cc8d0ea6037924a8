"""DuckDB views of an exact list of files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel

from events_schema.column import Column, ColumnType, columns
from events_schema.runtime.database import Database
from events_schema.tables.locations import duckdb_path
from events_schema.tables.own_columns import own_columns

_TYPES = {
    ColumnType.BOOL: "BOOLEAN",
    ColumnType.FLOAT64: "DOUBLE",
    ColumnType.INT32: "INTEGER",
    ColumnType.INT64: "BIGINT",
    ColumnType.STRING: "VARCHAR",
    ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}


def view_files(
    database: Database, name: str, files: Sequence[Path], model: type[BaseModel]
) -> None:
    """Create the view `name` with the columns of `model` and the rows of exactly these files.

    `files` may be empty. A team's own columns are null for files that lack them.
    """
    query = select_rows(files, columns(model), own_columns(model))
    database.connection.execute(f"CREATE VIEW {name} AS {query}")


def select_rows(files: Sequence[Path], of: Sequence[Column], own: Sequence[Column]) -> str:
    """Return a query for the columns `of` of the rows of exactly these files, which may be none.

    Those in `own` are null for files that lack them.
    """
    selected = ", ".join(f"{each.name}::{_TYPES[each.type]} AS {each.name}" for each in of)
    rows = _read(files, own) if files else _no_rows(of)
    return f"SELECT {selected} FROM ({rows})"  # noqa: S608  # our own names


def _read(files: Iterable[Path], own: Sequence[Column]) -> str:
    paths = ", ".join("'" + duckdb_path(path).replace("'", "''") + "'" for path in files)
    if not own:
        return f"FROM read_parquet([{paths}], hive_partitioning = false)"
    # DuckDB must read all footers to match columns by name. The query without rows supplies
    # the columns that no file has yet.
    every = f"FROM read_parquet([{paths}], hive_partitioning = false, union_by_name = true)"
    return f"{_no_rows(own)} UNION ALL BY NAME {every}"


def _no_rows(of: Iterable[Column]) -> str:
    nulls = ", ".join(f"NULL::{_TYPES[each.type]} AS {each.name}" for each in of)
    return f"SELECT {nulls} WHERE false"
