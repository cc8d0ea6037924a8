"""Views of exactly some files, in DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from events_schema.column import ColumnType, columns
from events_schema.runtime.database import Database
from events_schema.tables.locations import duckdb_path

_TYPES = {
    ColumnType.BOOL: "BOOLEAN",
    ColumnType.FLOAT64: "DOUBLE",
    ColumnType.INT32: "INTEGER",
    ColumnType.INT64: "BIGINT",
    ColumnType.STRING: "VARCHAR",
    ColumnType.TIMESTAMP: "TIMESTAMP",
}


def view_files(
    database: Database, name: str, files: Sequence[Path], model: type[BaseModel]
) -> None:
    """Make the view `name` of the rows of exactly these files, which may be none."""
    if files:
        paths = [duckdb_path(path) for path in files]
        database.connection.read_parquet(paths, hive_partitioning=False).create_view(name)
        return
    nulls = ", ".join(f"NULL::{_TYPES[each.type]} AS {each.name}" for each in columns(model))
    database.connection.execute(f"CREATE VIEW {name} AS SELECT {nulls} WHERE false")
