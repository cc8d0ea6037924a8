"""Runs the commands other than `run`, which inspect or change a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from events_schema import Contract
from events_schema.runtime.errors import UsageError
from events_schema.runtime.java.find import find_java
from events_schema.runtime.session.failures import lost_java
from events_schema.runtime.session.start import stop_session
from events_schema.tables.paths import TablePaths
from events_stream.commands.expiry import Expiry, expire
from events_stream.commands.failed import Rows, newest_failed, summarize_failed
from events_stream.commands.replay import replay
from events_stream.commands.status import describe
from events_stream.errors import TableMissing
from events_stream.records.writer import RecordWriter
from events_stream.run.session import failure, java_ended, stream_session
from events_stream.settings import (
    ExpireSettings,
    FailedSettings,
    ReplaySettings,
    StatusSettings,
)
from events_stream.table.folder.log import read_state
from events_stream.table.folder.open import existing_table, open_beside_stream


@contextmanager
def refusing_unreadable() -> Iterator[None]:
    """Convert the error for a file that this user may not read to `TableMissing`."""
    try:
        yield
    except PermissionError as error:
        raise TableMissing(
            f"cannot read {error.filename}: {error.strerror}; run this command as the user of the "
            f"stream"
        ) from error


def checked(paths: TablePaths, contract: Contract[Any] | None) -> TablePaths:
    """Return `paths` if the table fits `contract`. Raises `NotAnEvolution`."""
    if contract is not None:
        read_state(paths.log).check_contract(contract, paths)
    return paths


@refusing_unreadable()
def status(settings: StatusSettings) -> None:
    """Print the state of the table."""
    contract = settings.load_given_contract()
    paths = checked(existing_table(settings.target), contract)
    for word, text in describe(paths, Path(settings.checkpoint).resolve(), datetime.now(UTC)):
        print(f"{word:<12}  {text}")


@refusing_unreadable()
def failed(settings: FailedSettings) -> None:
    """Print the newest failed events, or their counts."""
    contract = settings.load_given_contract()
    paths = checked(existing_table(settings.target), contract)
    found = summarize_failed(paths) if settings.summary else newest_failed(paths, settings.limit)
    print("\n".join(_lines(found)) if found.rows else "no failed events")


def _lines(found: Rows) -> list[str]:
    texts = [
        found.names,
        *(["" if value is None else str(value) for value in row] for row in found.rows),
    ]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


@refusing_unreadable()
def replay_failed(settings: ReplaySettings) -> None:
    """Store the failed events that can now be decoded, or print how many would be stored."""
    if settings.dry_run == settings.apply:
        raise UsageError("give --dry-run to see what would be stored, or --apply to store it")
    contract = settings.load_contract()
    find_java()
    window = timedelta(seconds=settings.deduplication_window)
    table = open_beside_stream(settings.target)
    checked(table.paths, contract)  # before Spark starts
    spark = stream_session(settings)
    try:
        counts = replay(spark, RecordWriter(table, window, contract), apply=settings.apply)
    except (PySparkException, Py4JError, ConnectionError, duckdb.Error) as error:
        if lost_java(error, spark):
            raise java_ended() from error
        raise failure(error, table.paths.target) from error
    finally:
        stop_session(spark)
    erased = f"; {counts.erased} of erased users go" if counts.erased else ""
    verb = "are stored now" if settings.apply else "would be stored"
    print(
        f"of {counts.read} failed events, {counts.stored} {verb}, {counts.duplicates} are copies "
        f"of stored events, and {counts.failed} still fail{erased}"
    )


@refusing_unreadable()
def expire_days(settings: ExpireSettings) -> None:
    """Delete old days of the table, or print which would be deleted."""
    if (settings.before is None) != settings.missing:
        raise UsageError("give --before YYYY-MM-DD to delete old days, or --missing")
    if settings.before and settings.before > datetime.now(UTC).date():
        raise UsageError(
            f"--before {settings.before}: would delete today's events and those of future days; "
            f"give today (UTC) or an earlier day"
        )
    contract = settings.load_given_contract()
    table = open_beside_stream(settings.target)
    checked(table.paths, contract)
    expiry = expire(table, settings.before, apply=settings.apply)
    print(_said(expiry, applied=settings.apply))


def _said(expiry: Expiry, *, applied: bool) -> str:
    if not expiry.files:
        return "nothing to delete"
    days = expiry.days
    span = f", days {days[0]} to {days[-1]}" if days else ""
    what = f"{len(expiry.files)} files, {expiry.rows} rows{span}"
    return f"deleted {what}" if applied else f"would delete {what}; --apply does it"
