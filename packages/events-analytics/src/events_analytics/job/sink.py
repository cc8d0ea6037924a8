"""The sink, which writes the rows of a version to its staging folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from events_analytics.errors import ResultDiffers
from events_analytics.job.enrichment import with_metrics
from events_analytics.raw.files import RawFiles
from events_analytics.raw.footer import check_exact_columns, read_footer
from events_analytics.raw.source import read_raw
from events_analytics.versions.layout import SortBy
from events_analytics.versions.manifest import FileRows
from events_analytics.versions.names import file_name
from events_schema import Contract, UserMetrics
from events_schema.spark import spark_schema
from events_schema.tables.locations import spark_path

FILE_BYTES = 128 * 1024 * 1024
"""The approximate size of a file."""
LEAST_FILE_BYTES = 16 * 1024 * 1024
"""A table is not split into files smaller than this, even if more cores are free."""
ROW_GROUP_BYTES = 16 * 1024 * 1024
"""The approximate size of a row group before compression; readers skip groups of other days."""
_RUNS = 32
"""The least number of runs of days, if there are as many files."""
_HEAP_BYTES_PER_USER = 1024
"""If the heap has this much memory per user, all users' metrics are sent to every task."""


def file_count(spark: SparkSession, raw: RawFiles) -> int:
    """Return how many files to write for `raw`: files of about 128 MiB, or one per core."""
    cores = spark.sparkContext.defaultParallelism
    return max(min(cores, -(-raw.bytes // LEAST_FILE_BYTES)), -(-raw.bytes // FILE_BYTES), 1)


def write_users(metrics: DataFrame, folder: Path, files: int | None = None) -> None:
    """Write each user's metrics to `folder`, in `files` files, or as many as Spark chooses."""
    rows = metrics.repartition(files) if files else metrics
    _write(rows.sortWithinPartitions("user_id"), folder)


def read_users(spark: SparkSession, folder: Path) -> DataFrame:
    """Return each user's metrics that `write_users` wrote to `folder`."""
    return spark.read.schema(spark_schema(UserMetrics)).parquet(spark_path(folder))


def write_events(
    raw: RawFiles,
    contract: Contract[Any],
    metrics: DataFrame,
    users: int,
    folder: Path,
    *,
    files: int | None,
    sort_by: SortBy,
) -> None:
    """Write each row of `raw` with its user's `metrics` to `folder`, in about `files` files.

    Rows stay in the order of the raw table's days. If a task cannot hold the metrics of all
    `users`, or if `sort_by` requires it, rows are exchanged between tasks, by ranges of time or
    of users.
    """
    spark = metrics.sparkSession
    count = files or file_count(spark, raw)
    known_to_all = users * _HEAP_BYTES_PER_USER <= _heap_bytes(spark)
    joined = F.broadcast(metrics) if known_to_all else metrics.hint("merge")
    if known_to_all and sort_by is SortBy.DAY and (not files or len(raw.files) >= files):
        _write(with_metrics(_by_day(spark, raw, contract, count), contract, joined), folder)
        return
    # The time is a key as well, because one user may have half of all rows.
    keys = ("user_id", "event_time") if sort_by is SortBy.USER_ID else ("event_time",)
    rows = with_metrics(read_raw(spark, raw, contract.event), contract, joined)
    _write(rows.repartitionByRange(count, *keys).sortWithinPartitions(*keys), folder)


def _by_day(spark: SparkSession, raw: RawFiles, contract: Contract[Any], count: int) -> DataFrame:
    """Return the rows of `raw` in at most `count` partitions, by day.

    Spark reads the largest files first, so each run of days must be read separately.
    """
    runs = raw.split(max(count, _RUNS)) if len(raw.files) >= count else [raw]
    rows = (read_raw(spark, run, contract.event) for run in runs)
    return reduce(DataFrame.union, rows).coalesce(count)


def _heap_bytes(spark: SparkSession) -> int:
    runtime = spark._jvm.java.lang.Runtime  # type: ignore[union-attr]  # noqa: SLF001
    return int(runtime.getRuntime().maxMemory())


def _write(rows: DataFrame, folder: Path) -> None:
    writer = rows.write.mode("append").option("parquet.block.size", ROW_GROUP_BYTES)
    writer.parquet(str(folder), compression="zstd")


def name_files(folder: Path, version: str) -> None:
    """Rename the files that Spark wrote after their version, and remove all other files."""
    named = [
        part.rename(folder / file_name(version, number))
        for number, part in enumerate(sorted(folder.glob("part-*.parquet")))
    ]
    for other in set(folder.iterdir()) - set(named):
        if other.is_dir():
            shutil.rmtree(other)
        else:
            other.unlink()


def written_files(folder: Path, types: Mapping[str, str]) -> tuple[FileRows, ...]:
    """Return the files in `folder`. Raises `ColumnsMissing` if one has other columns than these."""
    return tuple(_checked(path, types) for path in sorted(folder.glob("*.parquet")))


def _checked(path: Path, types: Mapping[str, str]) -> FileRows:
    footer = read_footer(path)
    check_exact_columns(path, footer, types)
    return FileRows(name=path.name, rows=footer.rows)


def row_count(files: Sequence[FileRows]) -> int:
    """Return the number of rows in the files."""
    return sum(file.rows for file in files)


def check_rows(written: int, expected: int) -> None:
    """Check that as many rows were written as were read. Raises `ResultDiffers`."""
    if written != expected:
        raise ResultDiffers(
            f"{expected} rows were read, but {written} were written; the old result stays"
        )
