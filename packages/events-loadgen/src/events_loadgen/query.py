"""What SQL says about the tables, by DuckDB."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from events_schema.layout import PARTITION_COLUMN, partition_files


@dataclass(frozen=True)
class StoredCount:
    """How many rows the raw table has, and how many different events they are."""

    rows: int
    events: int


def count_stored(raw: Path) -> StoredCount:
    """Count the raw table at `raw`; zero where it has no files yet."""
    if not partition_files(raw):
        return StoredCount(0, 0)
    files = str(raw / f"{PARTITION_COLUMN}=*" / "*.parquet")
    with duckdb.connect() as connection:
        counted = connection.execute(
            "SELECT count(*), count(DISTINCT event_id) FROM read_parquet(?)", [files]
        ).fetchone()
    return StoredCount(*counted) if counted else StoredCount(0, 0)


def users_query(enriched: Path) -> str:
    """Return SQL for the metrics of each user, ready for DuckDB."""
    files = str(enriched / "*.parquet").replace("'", "''")
    return (
        "SELECT user_id, count(*) AS events, any_value(u_count) AS u_count,"
        " any_value(u_mp_ea) AS u_mp_ea\n"
        f"FROM '{files}'\n"
        "GROUP BY user_id ORDER BY user_id;"
    )


def answer(sql: str) -> str:
    """Return what DuckDB answers to `sql`, as a table for people."""
    with duckdb.connect() as connection:
        return str(connection.sql(sql))
