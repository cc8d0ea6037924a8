"""Reads and checks parquet footers: the number of rows and the columns of a file.

They are checked before Spark starts, because Spark reads a missing column as null.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from events_analytics.errors import ColumnsMissing, UnreadableFile
from events_schema import ColumnType, columns
from events_schema.models.types import type_name
from events_schema.tables.own_columns import own_columns

READABLE: Mapping[ColumnType, frozenset[str]] = {
    ColumnType.BOOL: frozenset({"bool"}),
    ColumnType.FLOAT64: frozenset({"float64"}),
    ColumnType.INT32: frozenset({"int32"}),
    ColumnType.INT64: frozenset({"int64"}),
    ColumnType.STRING: frozenset({"string"}),
    ColumnType.TIMESTAMP: frozenset({"timestamp", "timestamp(milliseconds)", "int96"}),
}
"""The types in a file that Spark can read as a type of the contract without changing a value."""


_PLAIN = {"boolean": "bool", "double": "float64"}
"""The `ColumnType` of parquet's plain types that have another name."""


@dataclass(frozen=True)
class Footer:
    """A parquet file's number of rows, and the type of each column by name.

    A type is a value of `ColumnType` if the file stores the column as the contract does
    (`timestamp` is INT64 `TIMESTAMP_MICROS` in UTC, `float64` is DOUBLE). Otherwise it is a
    description of the type. A column that contains columns has the type `nested`.
    """

    rows: int
    columns: Mapping[str, str]


def read_footer(path: Path) -> Footer:
    """Read the footer of the file at `path`. Raises `UnreadableFile`."""
    try:
        metadata = pq.read_metadata(path)
        stored = [metadata.schema.column(number) for number in range(metadata.num_columns)]
        types = dict(_column(column) for column in stored)
        return Footer(metadata.num_rows, types)
    except FileNotFoundError:
        raise UnreadableFile(f"cannot read {path}: it does not exist") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> UnreadableFile:
    """Return the error for a file that is not a valid parquet file."""
    cause = str(error).partition("\n")[0]
    return UnreadableFile(f"{path} is not a complete parquet file ({cause}); remove it")


def _column(column: pq.ColumnSchema) -> tuple[str, str]:
    """Return the name and the type of a column, or of the nested column that it belongs to."""
    if column.path != column.name:
        return column.path.partition(".")[0], "nested"
    return column.name, _type(column)


def _type(column: pq.ColumnSchema) -> str:
    logical = json.loads(column.logical_type.to_json())
    kind = logical["Type"].lower()
    if kind == "none":
        physical = str(column.physical_type).lower()
        return _PLAIN.get(physical, physical)
    if kind == "timestamp" and logical["isAdjustedToUTC"]:
        unit = logical["timeUnit"]
        return kind if unit == "microseconds" else f"{kind}({unit})"
    if kind == "int":
        return f"{'' if logical['isSigned'] else 'u'}int{logical['bitWidth']}"
    return kind if kind == "string" else f"{kind} in {column.physical_type}".lower()


def check_columns(path: Path, footer: Footer, model: type[BaseModel]) -> None:
    """Check that a file has the columns of `model`, with their types. Raises `ColumnsMissing`.

    It may lack a team's own columns, as older files do.
    """
    absent = {column for column in own_columns(model) if column.name not in footer.columns}
    missing = [
        _described(column.name, column.type)
        for column in columns(model)
        if column not in absent and footer.columns.get(column.name) not in READABLE[column.type]
    ]
    if missing:
        found = ", ".join(itertools.starmap(_described, footer.columns.items()))
        raise ColumnsMissing(f"{path} lacks {', '.join(missing)}; found {found or 'no columns'}")


def _described(name: str, type_: str) -> str:
    """Return a column as a team's class declares it, such as `plan: Text`."""
    return f"{name}: {type_name(type_)}"


def check_exact_columns(path: Path, footer: Footer, types: Mapping[str, str]) -> None:
    """Check that a file has exactly the columns `types`, in this order. Raises `ColumnsMissing`."""
    wanted = list(types.items())
    if wanted != list(footer.columns.items()):
        expected = ", ".join(itertools.starmap(_described, wanted))
        found = ", ".join(itertools.starmap(_described, footer.columns.items()))
        raise ColumnsMissing(f"{path} has {found or 'no columns'}; expected {expected}")
