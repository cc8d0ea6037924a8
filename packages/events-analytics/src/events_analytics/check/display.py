"""Showing a published table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from events_schema.tables.locations import spark_path

SHOWN_ROWS = 50


def read_published(spark: SparkSession, files: Iterable[Path]) -> DataFrame:
    """Return the rows of exactly these files."""
    return spark.read.parquet(*map(spark_path, files))


def show(rows: DataFrame) -> None:
    """Print 50 rows, the number of rows, and the schema."""
    rows.show(SHOWN_ROWS, truncate=False)
    print(f"Rows in the result dataset: {rows.count()}")
    rows.printSchema()
