"""The sink: writes the enriched rows to a staging folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from pyspark.sql import DataFrame

from events_analytics.errors import ResultDiffers
from events_analytics.footer import check_exact_columns, read_footer
from events_analytics.manifest import FileRows
from events_analytics.source import spark_path
from events_analytics.version import file_name
from events_schema import EnrichedEvent

FILE_BYTES = 128 * 1024 * 1024
"""About how much raw data becomes one file."""


def write(rows: DataFrame, folder: Path, version: str, raw_bytes: int) -> tuple[FileRows, ...]:
    """Write `rows` to the new `folder`, in files named for `version`; return them.

    `raw_bytes` is the size of the files that the rows come from. Raises `ResultDiffers` where
    the files are not of the contract's types, as under a session that lacks its settings.
    """
    # A table of many small files would otherwise stay one, at a task for every few of them.
    most = max(rows.sparkSession.sparkContext.defaultParallelism, -(-raw_bytes // FILE_BYTES))
    rows.coalesce(most).write.option("compression", "zstd").parquet(str(folder))
    return tuple(_checked(path) for path in _named(folder, version))


def _named(folder: Path, version: str) -> list[Path]:
    """Name the files that Spark wrote for their version, and remove what is no parquet."""
    named = [
        part.rename(folder / file_name(version, number))
        for number, part in enumerate(sorted(folder.glob("part-*.parquet")))
    ]
    for other in set(folder.iterdir()) - set(named):
        if other.is_dir():
            shutil.rmtree(other)
        else:
            other.unlink()
    return named


def _checked(path: Path) -> FileRows:
    footer = read_footer(path)
    check_exact_columns(path, footer, EnrichedEvent)
    return FileRows(name=path.name, rows=footer.rows)


def count_users(rows: DataFrame, folder: Path) -> int:
    """Return how many different users the rows written to `folder` have."""
    written = rows.sparkSession.read.schema(rows.schema).parquet(spark_path(folder))
    return written.select("user_id").where("user_id IS NOT NULL").distinct().count()


def check_rows(files: tuple[FileRows, ...], expected: int) -> int:
    """Return the rows in `files`. Raises `ResultDiffers` where they are not as many as read."""
    written = sum(file.rows for file in files)
    if written != expected:
        raise ResultDiffers(f"{written} rows written of {expected} read; the old result stays")
    return written
