"""Contracts with own fields, each longer than the one before, and raw files for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import create_model

from analytics_support.raw_schema import COLUMNS, TIME
from events_schema import (
    Bool,
    ColumnType,
    Contract,
    Event,
    Float64,
    Int32,
    Int64,
    StoredEvent,
    Text,
    Time,
)

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    ColumnType.BOOL: pa.bool_(),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.INT32: pa.int32(),
    ColumnType.INT64: pa.int64(),
    ColumnType.STRING: pa.string(),
    ColumnType.TIMESTAMP: TIME,
}


class PlanEvent(Event):
    """The first event of a shop."""

    plan: Text | None = None


class ShopEvent(PlanEvent):
    """The shop's later event, with a field of each type."""

    gift: Bool | None = None
    price: Float64 | None = None
    items: Int32 | None = None
    cents: Int64 | None = None
    shipped: Time | None = None
    coupon: Text | None = None


class CountedPlanEvent(Event):
    """An event that the shop can no longer send, because a field has another type."""

    plan: Int32 | None = None


DEFAULT, PLAN, SHOP, COUNTED_PLAN = map(Contract, (Event, PlanEvent, ShopEvent, CountedPlanEvent))

_NAMES = """
name place value micros shown stored raw named products categories actions usage users counted
combinations earlier later tally target expected chosen favourite times found recent other
other_action occurrences count_0 rank action metrics own_0 own_1 r m c a enriched failed reason
count sum ms digit delays scaled stretch first last id title field share
"""
AWKWARD_NAMES = _NAMES.split()
"""Names for own fields that the queries use for something else."""
AWKWARD: Contract[Any] = Contract(
    create_model(
        "AwkwardEvent",
        __base__=Event,
        **dict.fromkeys(AWKWARD_NAMES, (Text | None, None)),  # type: ignore[call-overload]
    )
)


def raw_schema(contract: Contract[Any]) -> pa.Schema:
    """Return the Arrow columns of a raw file of `contract`."""
    own = [(column.name, ARROW_TYPES[column.type]) for column in contract.own_columns]
    return pa.schema([*COLUMNS, *own])


def write_raw(path: Path, contract: Contract[Any], rows: Iterable[StoredEvent]) -> Path:
    """Write `rows` as a raw file of `contract`, without columns that it does not have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = [row.model_dump() for row in rows]
    pq.write_table(pa.Table.from_pylist(values, schema=raw_schema(contract)), path)
    return path


def rows_of(contract: Contract[Any], rows: Iterable[StoredEvent]) -> list[StoredEvent]:
    """Return `rows` as rows of `contract`; own columns that they lack are null."""
    names = contract.stored.model_fields
    return [
        contract.stored.model_validate({**dict.fromkeys(names), **_known(row, names)})
        for row in rows
    ]


def _known(row: StoredEvent, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in dict(row).items() if name in names}
