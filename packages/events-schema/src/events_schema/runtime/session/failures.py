"""Finds out why Spark failed: its Java process ended, the disk is full, or another cause."""

from __future__ import annotations

import os

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.sql import SparkSession

from events_schema.runtime.errors import SparkFailed
from events_schema.runtime.files import WAYS_OUT
from events_schema.runtime.session.start import java_ends

DISK_ERRORS = {os.strerror(number): way_out for number, way_out in WAYS_OUT.items()}
"""The texts in Java's and DuckDB's errors if a disk cannot be written, and what to do."""

_LONGEST = 500
"""The most characters of a cause that an error shows."""


def disk_error(error: Exception) -> tuple[str, str] | None:
    """Return the disk error in the text of `error` and what to do, or None."""
    return next((each for each in DISK_ERRORS.items() if each[0] in str(error)), None)


def lost_java(error: Exception, spark: SparkSession) -> bool:
    """Return whether `error`, raised by a call to Java, means that the Java process has ended."""
    if isinstance(error, Py4JJavaError):
        return False
    # py4j raises a plain Py4JError if the connection breaks during a call.
    gone = isinstance(error, Py4JNetworkError | ConnectionError)
    return gone or (isinstance(error, Py4JError) and java_ends(spark, seconds=1))


def spark_failed(error: Exception) -> SparkFailed:
    """Return the error for `error`, which Spark raised, as one line that names the root cause."""
    return SparkFailed(f"Spark failed: {_cause(error)}")


def _cause(error: Exception) -> str:
    trace = str(error)  # for Java's errors, this includes their causes
    if "OutOfMemoryError" in trace:
        return "Java ran out of memory; give more with --driver-memory"
    text = str(error.java_exception) if isinstance(error, Py4JJavaError) else trace
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if isinstance(error, Py4JError) and not isinstance(error, Py4JJavaError):
        return f"its Java process ended ({lines[0] if lines else type(error).__name__})"
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return (causes[-1].removeprefix("Caused by: ") if causes else lines[0] if lines else "")[
        :_LONGEST
    ]
