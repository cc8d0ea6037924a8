"""The command's Spark: starting it, ending it, and what it says when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import structlog
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from events_analytics.class_archive import MAKING_SECONDS, ClassArchive, find_archive
from events_analytics.errors import Interrupted, SparkFailed
from events_analytics.session.signals import interruptible
from events_schema.runtime.errors import SparkNotStarted
from events_schema.runtime.session.settings import SparkSettings
from events_schema.runtime.session.start import kill_session, start_session, stop_session
from events_schema.runtime.signals import deferring_signals

log = structlog.get_logger()

_TIDYING_SECONDS = 5
"""How long a Java process may take to remove its temporary files."""

_FULL = ("No space left on device", "Disk quota exceeded")


@contextmanager
def session(settings: SparkSettings, java_options: Sequence[str] = ()) -> Iterator[SparkSession]:
    """Start Spark as `settings` say, and leave nothing of it behind.

    Raises `JavaNotFound` and `SparkNotStarted`.
    """
    spark = _start(settings, java_options)
    try:
        yield spark
    finally:
        stop_session(spark)


@contextmanager
def archived_session(
    settings: SparkSettings, class_archive: str, afterwards: ExitStack
) -> Iterator[SparkSession]:
    """Start Spark as `session` does, from the class archive that `find_archive` finds.

    Where that is to be made, Java does so when `afterwards` ends, which is when the result is in
    its place. Raises `ArchiveRefused`, too.
    """
    archive = find_archive(class_archive, settings.master)
    refused: SparkNotStarted | None = None
    if archive is not None and archive.making:
        try:
            spark = _start(settings, archive.java_options())
        except SparkNotStarted as error:  # as Java does not that is to load an agent
            archive, refused = None, error
    if archive is None or not archive.making:
        with session(settings, archive.java_options() if archive else ()) as spark:
            if refused:
                log.warning("Java cannot keep its classes", error=str(refused))
            yield spark
        return
    afterwards.enter_context(_keeping_classes(spark, archive))
    yield spark
    with deferring_signals(), suppress(Py4JError, OSError):
        spark.stop()  # or PySpark would say that Java is gone, while that writes the archive


@contextmanager
def _keeping_classes(spark: SparkSession, archive: ClassArchive) -> Iterator[None]:
    """Let Java make the archive when the context ends without an exception.

    A signal then ends the making alone.
    """
    try:
        yield
    except BaseException:
        stop_session(spark, _TIDYING_SECONDS)  # it would make the archive after that
        archive.discard()
        raise
    try:
        with suppress(Interrupted), interruptible():
            log.info(
                "keeping Java's classes, which takes some 15 s this once; the next runs start in "
                "half of the time (--class-archive off: never)",
                archive=str(archive.file),
            )
            if not stop_session(spark, MAKING_SECONDS) or not archive.keep():
                log.warning("Java has not kept its classes", archive=str(archive.file))
    except OSError as error:  # which is no reason for a run to fail
        log.warning("Java's classes are not kept", archive=str(archive.file), error=str(error))
    finally:
        kill_session(spark)
        archive.discard()


def _start(settings: SparkSettings, java_options: Sequence[str]) -> SparkSession:
    return start_session(
        "events-analytics",
        master=settings.master,
        settings=settings.session_settings(),
        java_options=java_options,
        verbose=settings.verbose,
    )


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
