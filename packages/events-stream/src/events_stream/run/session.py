"""The stream's Spark session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from pyspark.sql import SparkSession

from events_schema import EventsError
from events_schema.runtime.database import first_line
from events_schema.runtime.errors import DatabaseFailed, PublishError
from events_schema.runtime.session.failures import disk_error, spark_failed
from events_schema.runtime.session.settings import SparkSettings
from events_schema.runtime.session.start import connector_jars, start_session
from events_stream.errors import Stalled
from events_stream.records.decode import AVRO_JAVA_OPTIONS

QUERY_SETTINGS = {
    # How long Spark waits after it found no new records: without this, 10 ms.
    "spark.sql.streaming.pollingDelay": "500ms",
    # Spark's own choice starts a shell for each file: measured, 0.07 s for each micro-batch.
    "spark.sql.streaming.checkpointFileManagerClass": "org.apache.spark.sql.execution.streaming"
    ".checkpointing.FileSystemBasedCheckpointFileManager",
}
"""How Spark looks for records, and writes its checkpoint, which only the running query reads."""

_CONNECTOR = "org.apache.spark.sql.kafka010"


def stream_session(settings: SparkSettings, java_options: Sequence[str] = ()) -> SparkSession:
    """Start Spark with the Kafka and Avro connectors, and limit what Avro may allocate.

    `java_options` are system properties (`-DNAME=VALUE`) for all of its Java processes.

    Raises `JavaNotFound`, `JarsNotResolved`, `SparkNotStarted`.
    """
    spark = start_session(
        "events-stream",
        master=settings.master,
        settings={**QUERY_SETTINGS, **settings.session_settings()},
        java_options=[*AVRO_JAVA_OPTIONS, *java_options],
        jars=connector_jars(),
        verbose=settings.verbose,
    )
    _set_properties(spark, [*AVRO_JAVA_OPTIONS, *java_options])
    _keep_secrets_from_log(spark)
    return spark


def java_ended() -> Stalled:
    """Return the error for a Java process of Spark that has ended."""
    return Stalled("Spark's Java process has ended (killed, or out of memory); start again")


def failure(error: Exception, target: Path) -> EventsError:
    """Return the error to raise for a failure of Spark or DuckDB while they write `target`."""
    full = disk_error(error)
    if full is not None:
        said, way_out = full
        return PublishError(
            f"cannot write {target} or the checkpoint: {said}; {way_out}, nothing is lost"
        )
    if isinstance(error, duckdb.Error):
        return DatabaseFailed(f"DuckDB failed: {first_line(error)}; start again")
    return spark_failed(error)


def _set_properties(spark: SparkSession, java_options: Sequence[str]) -> None:
    """Set system properties in the driver, even if spark-submit started its Java."""
    jvm: Any = spark._jvm  # noqa: SLF001  # to set Java's system properties
    for option in java_options:
        name, _, value = option.removeprefix("-D").partition("=")
        jvm.java.lang.System.setProperty(name, value)


def _keep_secrets_from_log(spark: SparkSession) -> None:
    """Turn off the DEBUG level of Spark's connector, which writes all options of Kafka's client."""
    jvm: Any = spark._jvm  # noqa: SLF001  # to reach Java's logging
    log4j = jvm.org.apache.logging.log4j
    if log4j.LogManager.getLogger(_CONNECTOR).isDebugEnabled():
        log4j.core.config.Configurator.setLevel(_CONNECTOR, log4j.Level.INFO)
