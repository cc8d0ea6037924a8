"""The raw table, the enriched one and the users', written for SQL to read."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from events_analytics.enrichment import enrich, user_metrics
from events_analytics.source import list_raw, read_raw
from events_analytics.version import file_name, new_version
from events_schema import StoredEvent, column_names
from events_schema.layout import TableLayout
from events_schema.spark import spark_schema
from events_stream.parquet_files import describe_events
from events_stream.staging import Staging


def write_raw(spark: SparkSession, rows: Sequence[StoredEvent], folder: Path, number: int) -> None:
    """Add `rows` to the raw table in `folder`, as the stream writes its batch `number`."""
    names = column_names(StoredEvent)
    values = [tuple(getattr(row, name) for name in names) for row in rows]
    layout = TableLayout(folder)
    staging = Staging(layout.staging / str(number), number, layout)
    staging.write_events(spark.createDataFrame(values, spark_schema(StoredEvent)))
    for file in staging.describe(describe_events(staging.event_files)):
        final = folder.parent / file.final
        final.parent.mkdir(parents=True, exist_ok=True)
        (staging.folder / file.staged).rename(final)


def write_enriched(spark: SparkSession, raw: Path, folder: Path, processing_time: datetime) -> None:
    """Write the enriched rows of the table in `raw` to the new `folder`."""
    _write(enrich(_read(spark, raw), processing_time), folder, processing_time)


def write_users(spark: SparkSession, raw: Path, folder: Path, processing_time: datetime) -> None:
    """Write the metrics of the users of the table in `raw` to the new `folder`."""
    _write(user_metrics(_read(spark, raw), processing_time), folder, processing_time)


def _read(spark: SparkSession, raw: Path) -> DataFrame:
    return read_raw(spark, list_raw(raw))


def _write(rows: DataFrame, folder: Path, processing_time: datetime) -> None:
    scratch = folder.with_name(f"{folder.name}.scratch")
    rows.coalesce(1).write.parquet(str(scratch))
    folder.mkdir()
    version = new_version(processing_time)
    for number, path in enumerate(sorted(scratch.glob("part-*.parquet"))):
        path.rename(folder / file_name(version, number))
    shutil.rmtree(scratch)
