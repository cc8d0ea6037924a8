"""Looking at the failed events: what they are, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from events_schema.layout import TableLayout
from events_stream.commit_log import READ_TRIES, read_state
from events_stream.parquet_files import reader

EXAMPLE_BYTES = 24
"""So much of a value is shown."""

_SUMMARY = """
SELECT reason, strftime(timestamp AT TIME ZONE 'UTC', '%Y-%m-%d') AS day, partition,
       count(*) AS events,
       min("offset") AS "example at",
       hex(arg_min(value, "offset")[:$bytes]) AS "example (hex)"
FROM read_parquet($files) GROUP BY ALL ORDER BY ALL
"""

_NEWEST = """
SELECT strftime(timestamp AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S') AS time, partition, "offset",
       reason, octet_length(value) AS bytes, hex(value[:$bytes]) AS "value (hex)"
FROM read_parquet($files) ORDER BY timestamp DESC, partition, "offset" DESC LIMIT $limit
"""


@dataclass(frozen=True)
class Rows:
    """An answer: the names of its columns, and its rows."""

    names: list[str]
    rows: list[tuple[Any, ...]]


def summarize_failed(layout: TableLayout) -> Rows:
    """Count the failed events by reason, day (UTC, of Kafka's timestamp) and partition."""
    return _ask(layout, _SUMMARY, bytes=EXAMPLE_BYTES)


def newest_failed(layout: TableLayout, limit: int) -> Rows:
    """Return the newest failed events."""
    return _ask(layout, _NEWEST, bytes=EXAMPLE_BYTES, limit=limit)


def _ask(layout: TableLayout, query: str, **parameters: object) -> Rows:
    for attempt in range(1, READ_TRIES + 1):
        finals = read_state(layout.log).failed_files
        if not finals:
            return Rows([], [])
        files = [str(layout.target.parent / final) for final in finals]
        try:
            with reader() as connection:
                found = connection.execute(query, {"files": files, **parameters})
                return Rows([column[0] for column in found.description or ()], found.fetchall())
        except duckdb.IOException:  # a file was replaced since it was listed
            if attempt == READ_TRIES:
                raise
    raise AssertionError
