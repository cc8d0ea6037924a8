"""What SQL says about the tables, by DuckDB."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from events_schema import EnrichedEvent, column_names
from events_schema.tables.partitions import PARTITION_COLUMN, partition_files


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


@dataclass(frozen=True)
class Enriched:
    """How many rows the enriched table has, and the latest of them by `event_time`."""

    rows: int
    latest: list[dict[str, Any]]


def read_enriched(enriched: Path, limit: int) -> Enriched:
    """Read the enriched table at `enriched`; nothing where there is none yet.

    Raises `duckdb.IOException` where the table is replaced meanwhile.
    """
    if not enriched.exists():
        return Enriched(0, [])
    files = str(enriched / "*.parquet")
    names = column_names(EnrichedEvent)
    columns = ["epoch_us(event_time)", *names[1:]]
    with duckdb.connect() as connection:
        counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [files]).fetchone()
        latest = connection.execute(
            f"SELECT {', '.join(columns)} FROM read_parquet(?)"  # noqa: S608  # our own words
            " ORDER BY event_time DESC, user_id LIMIT ?",
            [files, limit],
        ).fetchall()
    rows = [dict(zip(names, row, strict=True)) for row in latest]
    for row in rows:
        if row["event_time"] is not None:
            row["event_time"] = _EPOCH + timedelta(microseconds=row["event_time"])
    return Enriched(counted[0] if counted else 0, rows)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
