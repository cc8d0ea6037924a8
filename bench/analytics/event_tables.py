"""Writes raw tables of any size with DuckDB, for benchmarks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from events_schema.tables.partitions import PARTITION_COLUMN

LAST_DAY = date(2026, 11, 26)
PROCESSING_TIME = datetime(2026, 11, 26, 20, tzinfo=UTC)

_ROWS = """
COPY (
    SELECT TIMESTAMPTZ '{day} 00:00:00Z' + to_microseconds(n * 86400000000 // {rows}) AS event_time,
        (CASE WHEN random() < {skew} THEN 1 ELSE 1 + floor({users} * random()) END)::INTEGER
            AS user_id,
        'product_' || 1 + floor(3 * random())::INTEGER AS app_name,
        CASE WHEN random() < 0.75
            THEN ['page_view', 'button_click', 'scroll'][1 + floor(3 * random())::INTEGER]
        END AS event_action,
        'category_' || 1 + floor(3 * random())::INTEGER AS event_category,
        CASE WHEN random() < 0.8
            THEN [5, 8, 12, 37, 54][1 + floor(5 * random())::INTEGER]
        END::INTEGER AS event_value,
        uuid()::VARCHAR AS event_id,
        event_time + INTERVAL 200 MILLISECOND AS received_time
    FROM range({rows}) AS numbers(n)
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""


def make_raw_table(folder: Path, *, events: int, users: int, days: int, skew: float = 0) -> None:
    """Write a raw table of `events` rows by `users` users to `folder`, one file for each day.

    Users are spread evenly over all days. `skew` is the share of events of one single user.
    """
    with duckdb.connect(config={"threads": 2, "memory_limit": "6GB"}) as connection:
        connection.execute(
            "SET TimeZone = 'UTC'; SET enable_progress_bar = false; SELECT setseed(0.5)"
        )
        for number in range(days):
            day = LAST_DAY - timedelta(days=days - 1 - number)
            rows = events * (number + 1) // days - events * number // days
            part = folder / f"{PARTITION_COLUMN}={day}"
            part.mkdir(parents=True)
            file = part / "events.parquet"
            words = {"day": day, "rows": rows, "skew": skew, "users": users, "file": file}
            connection.execute(_ROWS.format(**words))
