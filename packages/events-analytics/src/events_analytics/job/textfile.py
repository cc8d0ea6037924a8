"""Writes the metrics of a run to a file, for node_exporter's textfile collector."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from events_analytics.errors import MetricsFileUnwritable, MetricsNotWritten
from events_analytics.versions.manifest import Manifest
from events_analytics.versions.publish import Versions
from events_schema.errors import EventsError
from events_schema.runtime.command import UNEXPECTED_EXIT_CODE
from events_schema.runtime.errors import AlreadyLocked
from events_schema.tables.paths import TablePaths

log = structlog.get_logger()


@contextmanager
def writing_metrics(file: Path | None, target: str) -> Iterator[None]:
    """Write the metrics of a run to `file` when the context ends, even if the run fails.

    Nothing is written for a run that is refused because another run has `target` locked: the
    other run writes the metrics. Raises `MetricsFileUnwritable` before the run, and
    `MetricsNotWritten` after a run that published. If a failed run cannot write its metrics, it
    logs a warning and ends with its own error.
    """
    if file is None:
        yield
        return
    _check_writable(file)
    started = time.monotonic()
    try:
        yield
    except AlreadyLocked:
        raise
    except BaseException as error:
        try:
            _write(file, target, _exit_code(error), time.monotonic() - started)
        except OSError as unwritable:
            log.warning("metrics not written", file=str(file), error=unwritable.strerror)
        raise
    try:
        _write(file, target, 0, time.monotonic() - started)
    except OSError as unwritable:
        raise MetricsNotWritten(
            f"published, but cannot write metrics file {file}: {unwritable.strerror}; "
            f"it still has the metrics of an earlier run"
        ) from unwritable


def _check_writable(file: Path) -> None:
    """Check before the run that the file can be replaced after it."""
    try:
        if file.is_dir():
            raise IsADirectoryError(0, "is a folder")
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise MetricsFileUnwritable(
            f"cannot write metrics file {file}: {error.strerror}; "
            f"give a file in an existing folder that this user may write to"
        ) from None


def _exit_code(error: BaseException) -> int:
    if isinstance(error, EventsError):
        return error.exit_code
    return 130 if isinstance(error, KeyboardInterrupt) else UNEXPECTED_EXIT_CODE


def _write(file: Path, target: str, exit_code: int, seconds: float) -> None:
    # Two tables on one machine have two files with the same metrics, which differ in this label.
    path = os.fsencode(Path(target).absolute()).decode("utf-8", "replace")
    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float, **labels: str) -> None:
        labels = {"target": path, **labels}
        gauge = Gauge(f"events_analytics_{name}", text, list(labels), registry=registry)
        gauge.labels(**labels).set(value)

    gauge("build_info", "The version that ran", 1, version=version("events-analytics"))
    gauge("last_run_exit_code", "The exit code of the last run", exit_code)
    gauge("last_run_success", "Whether the last run published a result", exit_code == 0)
    gauge("last_run_timestamp_seconds", "When the last run ended", time.time())
    gauge("last_run_duration_seconds", "How long the last run took", seconds)
    result = _published(target)
    if result is not None:
        began, processed = result.created_time.timestamp(), result.processing_time.timestamp()
        gauge("last_success_timestamp_seconds", "When the last successful run started", began)
        gauge(
            "processing_timestamp_seconds", "The processing time of the published result", processed
        )
        gauge("rows", "Published rows", result.rows)
        gauge("users", "Different users in the raw rows", result.users)
    write_to_textfile(str(file), registry)


def _published(target: str) -> Manifest | None:
    """Return the manifest of the version that readers see, or None if it cannot be read."""
    try:
        return Versions(TablePaths.at(target)).manifest()
    except (EventsError, OSError, ValueError):
        return None
