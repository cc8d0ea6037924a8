"""Batches of real parquet files, written without Spark."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from events_schema import Contract, StoredEvent
from events_schema.column import ColumnType, columns
from events_stream.table.folder.change import Change
from events_stream.table.folder.commit import Commit, CommitKind
from events_stream.table.folder.parquet import describe_events, describe_failed_events
from events_stream.table.folder.table import Table
from events_stream.table.position import Counts
from stream_support.contracts import CONTRACT
from stream_support.envelopes import NOON
from stream_support.staged_change import SOURCE

NO_DAY = "__HIVE_DEFAULT_PARTITION__"

_TYPES: dict[ColumnType, pa.DataType] = {
    ColumnType.BOOL: pa.bool_(),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.INT32: pa.int32(),
    ColumnType.INT64: pa.int64(),
    ColumnType.STRING: pa.string(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}
_FAILED_TYPES: dict[str, pa.DataType] = {
    "topic": pa.string(),
    "partition": pa.int32(),
    "offset": pa.int64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "key": pa.binary(),
    "headers": pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())])),
    "value": pa.binary(),
    "reason": pa.string(),
}
_FAILED = pa.schema(_FAILED_TYPES)

Row = tuple[Any, ...]


def store_events(
    table: Table,
    events: Iterable[StoredEvent],
    failed: Sequence[bytes] = (),
    contract: Contract[Any] = CONTRACT,
) -> Commit:
    """Store a batch with a file for each day, and one of the failed events; return its commit."""
    with table.change(CommitKind.BATCH) as change:
        _write(change, [*events], failed, contract)
    return change.commit


def _write(
    change: Change, events: Sequence[StoredEvent], failed: Sequence[bytes], contract: Contract[Any]
) -> None:
    staging = change.staging
    by_day = defaultdict(list)
    for event in events:
        by_day[_day(event.event_time)].append(dict(event))
    types = pa.schema([(each.name, _TYPES[each.type]) for each in columns(contract.stored)])
    for day, rows in by_day.items():
        folder = staging.folder / "table" / f"event_date={day}"
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, types), folder / "part.parquet")
    start = change.state.position.totals.read
    if failed:
        records = [
            {
                "topic": "events",
                "partition": 0,
                "offset": start + number,
                "timestamp": NOON,
                "headers": [{"key": "h", "value": b"v"}],
                "value": value,
                "reason": "outside_contract",
            }
            for number, value in enumerate(failed)
        ]
        (staging.folder / "failed").mkdir()
        part = staging.folder / "failed" / "part.parquet"
        pq.write_table(pa.Table.from_pylist(records, _FAILED), part)
    change.source = SOURCE
    change.own_types = contract.own_types
    change.counts = Counts(read=len(events) + len(failed), stored=len(events), failed=len(failed))
    change.after = {0: start + change.counts.read}
    change.table_files = staging.describe(describe_events(staging.event_files))
    change.failed_files = staging.describe(describe_failed_events(staging.failed_event_files))


def _day(time: datetime | None) -> str:
    return NO_DAY if time is None else str(time.date())


def rows(target: Path, contract: Contract[Any] = CONTRACT) -> Counter[Row]:
    """Return the rows that are in the table's folder, with the day of their path."""
    names = list(contract.stored.model_fields)
    return Counter(
        (*map(row.get, names), path.parent.name)
        for path in target.glob("*/*.parquet")
        for row in pq.ParquetFile(path).read().to_pylist()
    )


def as_rows(events: Iterable[StoredEvent]) -> Counter[Row]:
    """Return the events as `rows` returns them."""
    return Counter(
        (*dict(event).values(), f"event_date={_day(event.event_time)}") for event in events
    )


def failed_values(folder: Path) -> Counter[bytes]:
    """Return the values of the failed events in the folder."""
    found = (pq.ParquetFile(path).read(["value"]) for path in folder.glob("*.parquet"))
    return Counter(value.as_py() for table in found for value in table.column("value"))
