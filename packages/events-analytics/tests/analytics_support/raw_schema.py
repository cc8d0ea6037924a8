"""The raw table's Arrow columns, written out independently of the contract."""

from __future__ import annotations

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")

COLUMNS: list[tuple[str, pa.DataType]] = [
    ("event_time", TIME),
    ("user_id", pa.int32()),
    ("app_name", pa.string()),
    ("event_action", pa.string()),
    ("event_category", pa.string()),
    ("event_value", pa.int32()),
    ("event_id", pa.string()),
    ("received_time", TIME),
]
RAW = pa.schema(COLUMNS)
