"""The command `events-analytics check`, which verifies a published table and prints it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from events_analytics.check.verification import verify
from events_analytics.session.session import session, spark_errors
from events_analytics.session.signals import interruptible
from events_analytics.settings import CheckSettings
from events_schema.runtime.java.find import find_java
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


def check(settings: CheckSettings) -> None:
    """Verify the published table and print it."""
    contract = settings.load_contract()
    find_java()
    with interruptible():
        verified = verify(settings.target, contract, settings.source, settings.sample)
        with session(settings) as spark, spark_errors():
            show(read_published(spark, verified.files))
    print(verified)
