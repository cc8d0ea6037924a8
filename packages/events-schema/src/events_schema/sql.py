"""`CREATE TABLE` statements derived from the models."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from events_schema.column import ColumnType, columns

_SQL_TYPES: Mapping[ColumnType, str] = {
    ColumnType.BOOL: "BOOLEAN",
    ColumnType.FLOAT64: "DOUBLE PRECISION",
    ColumnType.INT32: "INTEGER",
    ColumnType.INT64: "BIGINT",
    ColumnType.STRING: "VARCHAR",
    ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}


def ddl(model: type[BaseModel], table: str) -> str:
    """Return an SQL:2016 `CREATE TABLE` for `model`; every column is nullable.

    Times have the standard's default precision, microseconds. Raises `ValueError` if `table` is
    not a plain identifier.
    """
    if not table.isidentifier():
        raise ValueError(f"table name {table!r} is not a plain SQL identifier")
    body = ",\n".join(f"    {column.name} {_SQL_TYPES[column.type]}" for column in columns(model))
    return f"CREATE TABLE {table} (\n{body}\n);"
