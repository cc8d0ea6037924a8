"""Showing a published table."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from events_analytics.errors import NoData, SourceMissing
from events_analytics.footer import check_exact_columns, read_footer
from events_analytics.source import spark_path
from events_schema import EnrichedEvent

SHOWN_ROWS = 50


def published_files(target: str) -> list[Path]:
    """Return the files of the table at `target`, having checked each.

    Raises `SourceMissing`, `NoData`, `UnreadableFile` and `ColumnsMissing`.
    """
    folder = Path(target).resolve()
    if not folder.is_dir():
        raise SourceMissing(f"target {folder} is no folder; publish with events-analytics run")
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise NoData(f"target {folder} holds no parquet files; publish with events-analytics run")
    for file in files:
        check_exact_columns(file, read_footer(file), EnrichedEvent)
    return files


def read_published(spark: SparkSession, files: list[Path]) -> DataFrame:
    """Return the rows of exactly these files."""
    return spark.read.parquet(*map(spark_path, files))


def show(rows: DataFrame) -> None:
    """Print 50 rows, the number of rows, and the schema."""
    rows.show(SHOWN_ROWS, truncate=False)
    print(f"Rows in the result dataset: {rows.count()}")
    rows.printSchema()
