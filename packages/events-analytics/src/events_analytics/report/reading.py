"""Reads the tables and builds a report from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from events_analytics.report.figures.enriched import read_enriched_figures
from events_analytics.report.figures.failed import read_failed_figures
from events_analytics.report.figures.raw import RawFigures, Scope, read_raw_figures
from events_analytics.report.model import Enriched, Failed, Newest, Nulls, Quality, Report
from events_analytics.report.tables import Tables, enriched_files, failed_files, raw_files
from events_schema import Contract
from events_schema.runtime.database import read_steadily


def read_report(tables: Tables, contract: Contract[Any], scope: Scope) -> Report:
    """Read the current state of the tables and return the report.

    For each table, the files are listed once, and memory is bounded. Raises `ColumnsMissing`,
    `UnreadableFile`, `NotAnEvolution`, `DatabaseFailed` or `TableReplaced`.
    """
    raw = read_steadily(
        lambda: raw_files(tables.raw, contract, scope.since),
        lambda database, files: read_raw_figures(database, files, contract, scope),
    )
    return Report(
        generated_time=scope.now,
        raw=tables.given,
        since=scope.since,
        events=raw.summary.events,
        first_event_time=raw.summary.first,
        over_time=raw.over_time,
        categories=raw.categories,
        products=raw.products,
        own_fields=raw.own_fields,
        activity=raw.activity,
        quality=_quality(raw, _read_failed(tables, scope), scope.now),
        enriched=_read_enriched(tables, scope),
    )


def _read_enriched(tables: Tables, scope: Scope) -> Enriched | None:
    folder = tables.enriched
    if folder is None:
        return None
    return read_steadily(
        lambda: enriched_files(folder),
        lambda database, files: read_enriched_figures(database, files, folder, scope.top),
    )


def _read_failed(tables: Tables, scope: Scope) -> Failed | None:
    folder = tables.failed
    if folder is None:
        return None
    return read_steadily(
        lambda: failed_files(folder),
        lambda database, files: read_failed_figures(database, files, scope.since, scope.top),
    )


def _quality(raw: RawFigures, failed: Failed | None, now: datetime) -> Quality:
    return Quality(
        nulls=tuple(
            Nulls(column=name, events=events) for name, events in raw.summary.nulls.items()
        ),
        later=raw.summary.later,
        delay=raw.delay,
        newest_event=_newest(raw.summary.last, now),
        newest_received=_newest(raw.summary.received, now),
        failed=failed,
    )


def _newest(time: datetime | None, now: datetime) -> Newest | None:
    if time is None:
        return None
    return Newest(time=time, age_seconds=(now - time).total_seconds())
