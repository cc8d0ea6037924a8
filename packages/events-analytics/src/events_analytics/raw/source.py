"""Reads the rows of the raw table's files."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from events_analytics.errors import UnreadableFile
from events_analytics.raw.files import RawFiles
from events_schema.spark import spark_schema
from events_schema.tables.locations import spark_path

_MOST_ACTIONS = 8
"""The most actions that have their own column of counts; each row is compared with all of them."""


def frequent_actions(raw: RawFiles) -> list[str]:
    """Return the most frequent actions in the first row group of the largest file, at most 8."""
    if not raw.rows:
        return []
    path = raw.folder / max(raw.files, key=lambda file: file.rows).name
    try:
        with pq.ParquetFile(path) as file:
            read = file.read_row_group(0, columns=["event_action"], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        cause = " ".join(str(error).split())
        raise UnreadableFile(f"cannot read {path} ({cause}); remove it") from None
    counted: Any = pc.value_counts(read["event_action"].drop_null())
    by_action = zip(counted.field("values"), counted.field("counts"), strict=True)
    counts = Counter({action.as_py(): count.as_py() for action, count in by_action})
    return [action for action, _ in counts.most_common(_MOST_ACTIONS)]


def read_raw(spark: SparkSession, raw: RawFiles, model: type[BaseModel]) -> DataFrame:
    """Return the rows of exactly these files, with the columns of `model`.

    Columns that a file lacks are null; `list_raw` has refused files that lack required columns.
    """
    schema = spark_schema(model)
    if not raw.rows:
        # Not from Python rows: for these PySpark opens a connection, and logs an error about it
        # when Java exits.
        nulls = (F.lit(None).cast(field.dataType).alias(field.name) for field in schema)
        return spark.range(0).select(*nulls)
    paths = [spark_path(raw.folder / file.name) for file in raw.files]
    return spark.read.schema(schema).parquet(*paths).select(*schema.names)
