"""Shows the failed events, or counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from events_schema.runtime.database import Database, read_steadily
from events_schema.runtime.errors import DatabaseFailed, TableDamaged, TableReplaced
from events_schema.tables.paths import TablePaths
from events_stream.table.folder.log import read_log

EXAMPLE_BYTES = 24
"""How many bytes of a value are shown."""

_SUMMARY = """
SELECT reason, strftime(timestamp AT TIME ZONE 'UTC', '%Y-%m-%d') AS day, partition,
       count(*) AS events,
       min("offset") AS "example at",
       hex(arg_min(value, "offset")[:$bytes]) AS "example (hex)"
FROM read_parquet($files, hive_partitioning = false) GROUP BY ALL ORDER BY ALL
"""

_NEWEST = """
SELECT strftime(timestamp AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S') AS time, partition, "offset",
       reason, octet_length(value) AS bytes, hex(value[:$bytes]) AS "value (hex)"
FROM read_parquet($files, hive_partitioning = false)
ORDER BY timestamp DESC, partition, "offset" DESC LIMIT $limit
"""


@dataclass(frozen=True)
class Rows:
    """The result of a query: its column names and its rows."""

    names: list[str]
    rows: list[tuple[Any, ...]]


def summarize_failed(paths: TablePaths) -> Rows:
    """Count the failed events by reason, day (UTC, of Kafka's timestamp) and partition."""
    return _ask(paths, _SUMMARY, bytes=EXAMPLE_BYTES)


def newest_failed(paths: TablePaths, limit: int) -> Rows:
    """Return the newest failed events, at most `limit`."""
    return _ask(paths, _NEWEST, bytes=EXAMPLE_BYTES, limit=limit)


def _ask(paths: TablePaths, query: str, **parameters: object) -> Rows:
    def read(database: Database, files: Sequence[Path]) -> Rows:
        if not files:
            return Rows([], [])
        asked = {"files": list(map(str, files)), **parameters}
        found = database.connection.execute(query, asked)
        return Rows([column[0] for column in found.description or ()], found.fetchall())

    try:
        return read_steadily(lambda: _files(paths), read)
    except (TableReplaced, DatabaseFailed) as error:
        if isinstance(error, DatabaseFailed) and "IO Error" not in str(error):
            raise
        raise TableDamaged(
            f"failed events that the log lists cannot be read: {str(error).partition('; ')[0]}; "
            f"restore them, or remove them from the log with `events-stream expire --missing "
            f"--apply`"
        ) from None


def _files(paths: TablePaths) -> list[Path]:
    """Return the files of the failed events, including those of an unfinished commit."""
    log = read_log(paths.log)
    files = {final: paths.target.parent / final for final in log.state.failed_files}
    unfinished = log.unfinished(paths.staging)
    if unfinished:
        for file in unfinished.failed_files:
            staged = paths.staging / unfinished.staging_name / file.staged
            if staged.exists():
                files[file.final] = staged
    return list(files.values())
