"""The metrics that a run leaves behind, for node_exporter's textfile collector."""

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
    """Write the metrics of the run that is the context to `file` at its end, however it ends.

    A run that is refused since another one holds `target` writes nothing: the metrics are that
    one's to write. Raises `MetricsFileUnwritable` before the run, and `MetricsNotWritten` after
    one that has published; a run that failed ends with its own error, and a warning.
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
            f"it still tells of an earlier run"
        ) from unwritable


def _check_writable(file: Path) -> None:
    """Refuse, before the work, a file that could not be put in its place after it."""
    try:
        if file.is_dir():
            raise IsADirectoryError(0, "is a folder")
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise MetricsFileUnwritable(
            f"cannot write metrics file {file}: {error.strerror}; "
            f"expected a name in a folder that is there and that this user can write to"
        ) from None


def _exit_code(error: BaseException) -> int:
    if isinstance(error, EventsError):
        return error.exit_code
    return 130 if isinstance(error, KeyboardInterrupt) else UNEXPECTED_EXIT_CODE


def _write(file: Path, target: str, exit_code: int, seconds: float) -> None:
    # Two tables on one machine have two files, in which only this label may differ.
    path = os.fsencode(Path(target).absolute()).decode("utf-8", "replace")
    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float, **labels: str) -> None:
        labels = {"target": path, **labels}
        gauge = Gauge(f"events_analytics_{name}", text, list(labels), registry=registry)
        gauge.labels(**labels).set(value)

    gauge("build_info", "The version that ran", 1, version=version("events-analytics"))
    gauge("last_run_exit_code", "What the last run ended with", exit_code)
    gauge("last_run_success", "Whether the last run published", exit_code == 0)
    gauge("last_run_timestamp_seconds", "When the last run ended", time.time())
    gauge("last_run_duration_seconds", "How long the last run took", seconds)
    result = _published(target)
    if result is not None:
        began, processed = result.created_time.timestamp(), result.processing_time.timestamp()
        gauge("last_success_timestamp_seconds", "When the run that published began", began)
        gauge("processing_timestamp_seconds", "The published metrics' processing time", processed)
        gauge("rows", "Rows that are published", result.rows)
        gauge("users", "Different users of the raw rows", result.users)
    write_to_textfile(str(file), registry)


def _published(target: str) -> Manifest | None:
    """Return the manifest of what readers see; None where it cannot be told."""
    try:
        return Versions(TablePaths.at(target)).manifest()
    except (EventsError, OSError, ValueError):
        return None
