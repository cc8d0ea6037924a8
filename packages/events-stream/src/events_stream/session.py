"""The stream's Spark session."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from events_schema.spark import connector_jars, start_session
from events_schema.spark_settings import SparkSettings
from events_stream.decode import AVRO_JAVA_OPTIONS

CHECKPOINT_SETTINGS = {
    # Spark's own choice starts a shell for each file: measured, 0.07 s for each batch.
    "spark.sql.streaming.checkpointFileManagerClass": "org.apache.spark.sql.execution.streaming"
    ".checkpointing.FileSystemBasedCheckpointFileManager",
}
"""How Spark writes its checkpoint, which no later query reads."""


def stream_session(settings: SparkSettings) -> SparkSession:
    """Start Spark with the Kafka and Avro connectors and a bound on what Avro allocates.

    Raises `JavaNotFound`, `JarsNotResolved`, `SparkNotStarted`.
    """
    spark = start_session(
        "events-stream",
        master=settings.master,
        settings={**CHECKPOINT_SETTINGS, **settings.session_settings()},
        java_options=AVRO_JAVA_OPTIONS,
        jars=connector_jars(),
        verbose=settings.verbose,
    )
    limit_avro(spark)
    return spark


def limit_avro(spark: SparkSession) -> None:
    """Bound what the driver's Avro allocates, also where spark-submit started its Java."""
    jvm: Any = spark._jvm  # noqa: SLF001  # Java's own settings
    for option in AVRO_JAVA_OPTIONS:
        name, value = option.removeprefix("-D").split("=")
        jvm.java.lang.System.setProperty(name, value)
