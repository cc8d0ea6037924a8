"""Parquet footers: how many rows a file holds, and in which columns.

Read before Spark starts, so that a file that lacks a column is refused: Spark would read it as
null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from events_analytics.errors import ColumnsMissing, UnreadableFile
from events_schema import ColumnType, Contract, columns
from events_schema.tables.own_columns import own_columns
from events_schema.tables.paths import TablePaths

READABLE: Mapping[ColumnType, frozenset[str]] = {
    ColumnType.BOOL: frozenset({"bool"}),
    ColumnType.FLOAT64: frozenset({"float64"}),
    ColumnType.INT32: frozenset({"int32"}),
    ColumnType.INT64: frozenset({"int64"}),
    ColumnType.STRING: frozenset({"string"}),
    ColumnType.TIMESTAMP: frozenset({"timestamp", "timestamp(milliseconds)", "int96"}),
}
"""The types in a file that Spark reads as a column of the contract without a change of value."""


_PLAIN = {"boolean": "bool", "double": "float64"}
"""Parquet's words for plain types of the contract, where they differ from ours."""


@dataclass(frozen=True)
class Footer:
    """What a parquet file says of itself: its rows, and the type of each column.

    A type is that of `ColumnType` where the file stores it as the contract does (`timestamp`
    is INT64 `TIMESTAMP_MICROS` in UTC, `float64` is DOUBLE), and another word, for people,
    elsewhere. Columns of columns are one, `nested`.
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
        raise UnreadableFile(f"cannot read {path}: it is gone") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> UnreadableFile:
    """Return the error of a file that is no parquet file."""
    cause = str(error).partition("\n")[0]
    return UnreadableFile(f"{path} is no parquet file, or a part of one ({cause}); remove it")


def _column(column: pq.ColumnSchema) -> tuple[str, str]:
    """Return the name and the type of the column that this one is, or is a part of."""
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
    """Refuse a file without the columns of `model`, but for a team's own: older files lack those.

    Any column of another type is refused. Raises `ColumnsMissing`.
    """
    absent = {column for column in own_columns(model) if column.name not in footer.columns}
    missing = [
        f"{column.name} {column.type}"
        for column in columns(model)
        if column not in absent and footer.columns.get(column.name) not in READABLE[column.type]
    ]
    if missing:
        found = ", ".join(f"{name} {type_}" for name, type_ in footer.columns.items())
        raise ColumnsMissing(f"{path} lacks {', '.join(missing)}; found {found or 'no columns'}")


def check_evolution(folder: Path, footer: Footer, contract: Contract[Any]) -> None:
    """Refuse a contract that does not go on from a file of the stream's table in `folder`.

    Of any other folder of such files, more columns are left out. Raises `NotAnEvolution`.
    """
    if not TablePaths(folder).log.is_dir():
        return
    ours = contract.stored.model_fields.keys() - contract.own_types.keys()
    own = {name: type_ for name, type_ in footer.columns.items() if name not in ours}
    contract.check_evolves(own, f"the table {folder}")


def check_exact_columns(path: Path, footer: Footer, types: Mapping[str, str]) -> None:
    """Refuse a file that has not exactly the columns of these `types`, by name, in this order.

    Raises `ColumnsMissing`.
    """
    wanted = list(types.items())
    if wanted != list(footer.columns.items()):
        expected = ", ".join(map(" ".join, wanted))
        found = ", ".join(map(" ".join, footer.columns.items()))
        raise ColumnsMissing(f"{path} holds {found or 'no columns'}; expected {expected}")
