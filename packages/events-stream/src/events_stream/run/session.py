"""The stream's Spark session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.sql import SparkSession

from events_schema import EventsError
from events_schema.runtime.errors import PublishError
from events_schema.runtime.session.settings import SparkSettings
from events_schema.runtime.session.start import connector_jars, java_ends, start_session
from events_stream.errors import QueryFailed, Stalled
from events_stream.records.decode import AVRO_JAVA_OPTIONS

DISK_ERRORS = ("No space left on device", "Read-only file system", "Disk quota exceeded")

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


def lost_java(error: Exception, spark: SparkSession) -> bool:
    """Tell whether `error`, of a call to Java, was raised because that process has ended."""
    if isinstance(error, Py4JJavaError):
        return False
    # py4j raises a plain error where the connection breaks amid a call.
    gone = isinstance(error, Py4JNetworkError | ConnectionError)
    return gone or (isinstance(error, Py4JError) and java_ends(spark, seconds=1))


def java_ended() -> Stalled:
    """Return what is raised where Spark's Java is no longer there."""
    return Stalled("Spark's Java process has ended (killed, or out of memory); start again")


def spark_failure(error: Exception, target: Path) -> EventsError:
    """Return what is raised where Spark or DuckDB failed, for reasons of their own, at `target`."""
    text = str(error)
    full = next((said for said in DISK_ERRORS if said in text), None)
    if full is None:
        return QueryFailed(f"{type(error).__name__}: {text[:500]}")
    return PublishError(
        f"cannot write {target} or the checkpoint: {full}; make room and start again, nothing is "
        f"lost"
    )


def limit_avro(spark: SparkSession) -> None:
    """Bound what the driver's Avro allocates, also where spark-submit started its Java."""
    jvm: Any = spark._jvm  # noqa: SLF001  # Java's own settings
    for option in AVRO_JAVA_OPTIONS:
        name, value = option.removeprefix("-D").split("=")
        jvm.java.lang.System.setProperty(name, value)
