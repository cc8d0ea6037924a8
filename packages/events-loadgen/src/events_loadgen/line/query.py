"""Reads the tables with DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from events_schema import ColumnType, Contract, EnrichedEvent, column_names, columns
from events_schema.runtime.database import Database, read_steadily
from events_schema.runtime.times import from_micros
from events_schema.tables.listing import table_files
from events_schema.tables.locations import plain_files
from events_schema.tables.views import view_files


@dataclass(frozen=True)
class StoredCount:
    """How many rows the raw table has, and how many distinct events."""

    rows: int
    events: int


def count_stored(raw: Path, contract: Contract[Any]) -> StoredCount:
    """Count the rows of the raw table at `raw`; 0 if it has no files yet. Raises `EventsError`."""

    def count(database: Database, files: Sequence[Path]) -> StoredCount:
        view_files(database, "stored", files, contract.stored)
        return StoredCount(*database.one("SELECT count(*), count(DISTINCT event_id) FROM stored"))

    return read_steadily(lambda: table_files(raw), count)


@dataclass(frozen=True)
class Enriched:
    """How many rows the enriched table has, and the latest by `event_time`."""

    rows: int
    latest: list[dict[str, Any]]


def read_enriched(enriched: Path, contract: Contract[Any], limit: int) -> Enriched:
    """Read the enriched table at `enriched`; no rows if it does not exist yet.

    Raises `EventsError`.
    """
    return read_steadily(
        lambda: plain_files(enriched),
        lambda database, files: _latest(database, files, contract.enriched, limit),
    )


def _latest(
    database: Database, files: Sequence[Path], model: type[EnrichedEvent], limit: int
) -> Enriched:
    view_files(database, "enriched", files, model)
    (count,) = database.one("SELECT count(*) FROM enriched")
    names = column_names(model)
    times = [each.name for each in columns(model) if each.type is ColumnType.TIMESTAMP]
    # As integers: DuckDB needs one more package for times with a time zone.
    selected = [f"epoch_us({name})" if name in times else name for name in names]
    found = database.ask(
        f"SELECT {', '.join(selected)} FROM enriched"  # noqa: S608  # the contract's own names
        " ORDER BY event_time DESC, user_id LIMIT $limit",
        limit=limit,
    )
    rows = [dict(zip(names, row, strict=True)) for row in found]
    for row in rows:
        for name in times:
            row[name] = None if row[name] is None else from_micros(row[name])
    return Enriched(count, rows)


def users_query(enriched: Path) -> str:
    """Return DuckDB SQL that selects the metrics of each user."""
    files = str(enriched / "*.parquet").replace("'", "''")
    return (
        "SELECT user_id, count(*) AS events, any_value(u_count) AS u_count,"
        " any_value(u_mp_ea) AS u_mp_ea\n"
        f"FROM '{files}'\n"
        "GROUP BY user_id ORDER BY user_id;"
    )


def answer(sql: str) -> str:
    """Run `sql` in DuckDB and return the result as a text table."""
    with duckdb.connect() as connection:
        return str(connection.sql(sql))
