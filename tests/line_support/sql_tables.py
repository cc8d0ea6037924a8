"""Writes the raw table, the enriched table and the table of users, for SQL tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import events_analytics
from events_analytics.versions.layout import Layout
from events_schema import Contract, StoredEvent, column_names
from events_schema.spark import spark_schema
from events_schema.tables.commit_log import numbered
from events_schema.tables.paths import TablePaths
from events_stream.table.folder.parquet import describe_events
from events_stream.table.folder.staging import Staging
from line_support.sql_rows import CONTRACT


def write_raw(
    spark: SparkSession,
    rows: Sequence[StoredEvent],
    folder: Path,
    number: int,
    *,
    contract: Contract[Any] = CONTRACT,
) -> None:
    """Add `rows` to the raw table in `folder`, as the stream writes its batch `number`."""
    names = column_names(contract.stored)
    values = [tuple(getattr(row, name) for name in names) for row in rows]
    paths = TablePaths(folder)
    staging = Staging(paths.staging / f"{numbered(number)}-{number:08x}", paths)
    staging.write_events(spark.createDataFrame(values, spark_schema(contract.stored)))
    for file in staging.describe(describe_events(staging.event_files)):
        final = folder.parent / file.final
        final.parent.mkdir(parents=True, exist_ok=True)
        (staging.folder / file.staged).rename(final)


def publish(
    spark: SparkSession,
    raw: Path,
    target: Path,
    layout: Layout,
    time: datetime,
    *,
    contract: Contract[Any] = CONTRACT,
) -> None:
    """Run the job on the table in `raw`; it publishes `layout` as `target`."""
    events_analytics.run(spark, contract, raw, target, time, allow_empty=True, layout=layout)
