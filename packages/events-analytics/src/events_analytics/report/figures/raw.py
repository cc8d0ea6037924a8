"""Computes the figures of the raw table.

This takes five passes over the files, and one for each own text field. Each pass reads only the
columns that it needs and keeps only sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from events_analytics.report.bins import bin_size, fill_bins
from events_analytics.report.figures.activity import read_activity
from events_analytics.report.figures.delay import read_delay
from events_analytics.report.figures.own_fields import own_names, read_own_fields
from events_analytics.report.figures.rankings import read_categories, read_products
from events_analytics.report.model import (
    Activity,
    Bin,
    Categories,
    Delay,
    OverTime,
    OwnField,
    Products,
)
from events_schema import Contract, StoredEvent, column_names
from events_schema.runtime.database import Database
from events_schema.runtime.times import from_micros, midnight, to_micros
from events_schema.tables.views import view_files

_EVENTS = """
CREATE VIEW events AS
SELECT * REPLACE (epoch_us(event_time) AS event_time, epoch_us(received_time) AS received_time)
FROM (SELECT {columns} FROM stored) AS named
WHERE {since} IS NULL OR epoch_us(named.event_time) >= {since}
"""

_SUMMARY = """
SELECT count(*), count(*) FILTER (event_time > $now),
       min(event_time), max(event_time) FILTER (event_time <= $now),
       max(received_time) FILTER (received_time <= $now),
       {nulls}
FROM events
"""

_BINS = """
SELECT event_time // $stretch, count(*) FROM events
WHERE event_time BETWEEN $first AND $last GROUP BY 1
"""


@dataclass(frozen=True)
class Scope:
    """The time that a report covers: up to `now`, and from the UTC day `since` if it is given.

    Lists have at most `top` entries.
    """

    now: datetime
    since: date | None
    top: int


@dataclass(frozen=True)
class Summary:
    """The number of events, the number of events after now, and the first and last times up to now.

    `nulls` has the number of nulls by column, in order.
    """

    events: int
    later: int
    first: datetime | None
    last: datetime | None
    received: datetime | None
    nulls: Mapping[str, int]


@dataclass(frozen=True)
class RawFigures:
    """The figures of the raw table in a report."""

    summary: Summary
    over_time: OverTime | None
    products: Products
    own_fields: tuple[OwnField, ...]
    categories: Categories
    activity: Activity
    delay: Delay


def read_raw_figures(
    database: Database, files: Sequence[Path], contract: Contract[Any], scope: Scope
) -> RawFigures:
    """Read the raw table's `files`. Raises DuckDB's errors."""
    names = {**{name: name for name in column_names(StoredEvent)}, **own_names(contract)}
    view_files(database, "stored", files, contract.stored)
    columns = ", ".join(f"{name} AS {ours}" for name, ours in names.items())
    since = to_micros(midnight(scope.since)) if scope.since else "NULL"
    database.ask(_EVENTS.format(columns=columns, since=since))
    summary = _read_summary(database, names, scope)
    products = read_products(database, scope.top)
    return RawFigures(
        summary=summary,
        over_time=_read_over_time(database, scope, summary),
        products=products,
        own_fields=read_own_fields(database, contract, scope.top),
        categories=read_categories(database, scope.top),
        activity=read_activity(database, scope.top),
        delay=read_delay(database),
    )


def _read_summary(database: Database, names: Mapping[str, str], scope: Scope) -> Summary:
    nulls = ", ".join(f"count(*) - count({ours})" for ours in names.values())
    now = to_micros(scope.now)
    events, later, *found = database.one(_SUMMARY.format(nulls=nulls), now=now)
    first, last, received = (None if time is None else from_micros(time) for time in found[:3])
    by_column = dict(zip(names, found[3:], strict=True))
    return Summary(events, later, first, last, received, by_column)


def _read_over_time(database: Database, scope: Scope, summary: Summary) -> OverTime | None:
    """Return the events up to now over time, for the requested days or for all events."""
    if summary.last is None or summary.first is None:
        return None
    first, last = (
        (midnight(scope.since), scope.now) if scope.since else (summary.first, summary.last)
    )
    size = bin_size(first, last)
    counts = database.ask(
        _BINS,
        stretch=size.counted_by // timedelta(microseconds=1),
        first=to_micros(first),
        last=to_micros(last),
    )
    bins = fill_bins(size, first, last, counts)
    return OverTime(
        size=size, bins=tuple(Bin(start=start, events=events) for start, events in bins)
    )
