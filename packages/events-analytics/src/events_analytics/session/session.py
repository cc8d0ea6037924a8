"""The command's Spark session: starts and stops it, and translates its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from events_schema.runtime.errors import SparkFailed
from events_schema.runtime.session.failures import disk_error, spark_failed
from events_schema.runtime.session.settings import SparkSettings
from events_schema.runtime.session.start import start_session, stop_session


@contextmanager
def session(settings: SparkSettings) -> Iterator[SparkSession]:
    """Start Spark with `settings`, and stop it when the context ends.

    Raises `JavaNotFound` and `SparkNotStarted`.
    """
    spark = start_session(
        "events-analytics",
        master=settings.master,
        settings=settings.session_settings(),
        verbose=settings.verbose,
    )
    try:
        yield spark
    finally:
        stop_session(spark)


@contextmanager
def spark_errors() -> Iterator[None]:
    """Turn Spark's exceptions into `SparkFailed` with a one-line message."""
    try:
        yield
    except (PySparkException, Py4JError, ConnectionError) as error:
        full = disk_error(error)
        if full is None:
            raise spark_failed(error) from error
        said, way_out = full
        raise SparkFailed(
            f"Spark failed: {said}, for the result or for temporary files (spark.local.dir); "
            f"{way_out}, the old result stays"
        ) from error
