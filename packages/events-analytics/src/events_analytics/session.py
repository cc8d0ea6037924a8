"""The command's Spark: starting it, ending it, and what it says when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from events_analytics.class_archive import MAKING_SECONDS, ClassArchive, find_archive
from events_analytics.errors import Interrupted, SparkFailed
from events_analytics.interruption import interruptible
from events_schema.signals import deferring_signals
from events_schema.spark import kill_session, start_session, stop_session
from events_schema.spark_settings import SparkSettings

log = structlog.get_logger()

_FULL = ("No space left on device", "Disk quota exceeded")


@contextmanager
def session(settings: SparkSettings, class_archive: str = "off") -> Iterator[SparkSession]:
    """Start Spark as `settings` say, and leave nothing of it behind.

    Where the class archive is to be made, Java does so at the end, unless the context ends by an
    exception; a signal ends the making alone. Raises `JavaNotFound`, `SparkNotStarted` and
    `ArchiveRefused`.
    """
    archive = find_archive(class_archive, settings.master)
    spark = start_session(
        "events-analytics",
        master=settings.master,
        settings=settings.session_settings(),
        java_options=archive.java_options() if archive else (),
        verbose=settings.verbose,
    )
    if archive is None or not archive.making:
        try:
            yield spark
        finally:
            stop_session(spark)
        return
    try:
        yield spark
        try:
            _make(archive, spark)
        except (Py4JError, OSError) as error:  # the result is complete
            log.warning("Java's classes not kept", archive=str(archive.file), error=str(error))
    finally:
        kill_session(spark)
        archive.discard()


def _make(archive: ClassArchive, spark: SparkSession) -> None:
    with suppress(Interrupted), interruptible():
        with deferring_signals():
            log.info(
                "keeping Java's classes: this run publishes some 15 s later, the next start in "
                "half of the time (--class-archive off: never)",
                archive=str(archive.file),
            )
            spark.stop()  # or PySpark would say that Java is gone, while it writes the archive
        if stop_session(spark, MAKING_SECONDS):
            archive.keep()


@contextmanager
def spark_errors() -> Iterator[None]:
    """Turn what Spark raises into `SparkFailed`, whose one line names the cause."""
    try:
        yield
    except (PySparkException, Py4JError, ConnectionError) as error:
        raise SparkFailed(f"Spark failed: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    trace = str(error)  # of Java's errors, with what caused them
    if "OutOfMemoryError" in trace:
        return "Java ran out of memory; give more with --driver-memory"
    full = next((said for said in _FULL if said in trace), None)
    if full:
        return (
            f"{full}, for the result or for temporary files (spark.local.dir); "
            f"make room and start again, the old result stays"
        )
    text = str(error.java_exception) if isinstance(error, Py4JJavaError) else trace
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    if isinstance(error, Py4JError) and not isinstance(error, Py4JJavaError):
        return f"its Java process ended ({lines[0] if lines else type(error).__name__})"
    return (causes[-1].removeprefix("Caused by: ") if causes else lines[0] if lines else "")[:500]
