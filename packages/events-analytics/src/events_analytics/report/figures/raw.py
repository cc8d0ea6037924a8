"""What the raw table says: how many events, when, of what, of whom, and how good they are.

Five passes over the files, each over the columns that it needs; all that is kept are sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from events_analytics.report.bins import bin_size, fill_bins
from events_analytics.report.figures.activity import read_activity
from events_analytics.report.figures.delay import read_delay
from events_analytics.report.figures.rankings import read_categories, read_products
from events_analytics.report.model import (
    Activity,
    Bin,
    Categories,
    Delay,
    OverTime,
    Products,
)
from events_schema import StoredEvent, column_names
from events_schema.runtime.database import Database
from events_schema.runtime.times import from_micros, midnight, to_micros
from events_schema.tables.views import view_files

_COLUMNS = column_names(StoredEvent)

_EVENTS = """
CREATE VIEW events AS
SELECT * REPLACE (epoch_us(event_time) AS event_time, epoch_us(received_time) AS received_time)
FROM stored WHERE {since} IS NULL OR epoch_us(stored.event_time) >= {since}
"""

_SUMMARY = f"""
SELECT count(*), count(*) FILTER (event_time > $now),
       min(event_time), max(event_time) FILTER (event_time <= $now),
       max(received_time) FILTER (received_time <= $now),
       {", ".join(f"count(*) - count({name})" for name in _COLUMNS)}
FROM events
"""  # noqa: S608  # our own names

_BINS = """
SELECT event_time // $stretch, count(*) FROM events
WHERE event_time BETWEEN $first AND $last GROUP BY 1
"""


@dataclass(frozen=True)
class Scope:
    """What a report covers: up to `now`, from the start of the UTC day `since`, if any.

    Lists are cut to `top` entries.
    """

    now: datetime
    since: date | None
    top: int


@dataclass(frozen=True)
class Summary:
    """How many events there are, how many are later than now, and the times up to now.

    `nulls` has an entry for each column, in order.
    """

    events: int
    later: int
    first: datetime | None
    last: datetime | None
    received: datetime | None
    nulls: Mapping[str, int]


@dataclass(frozen=True)
class RawFigures:
    """What a report says of the raw table."""

    summary: Summary
    over_time: OverTime | None
    products: Products
    categories: Categories
    activity: Activity
    delay: Delay


def read_raw_figures(database: Database, files: Sequence[Path], scope: Scope) -> RawFigures:
    """Read the raw table's `files`. Raises what DuckDB raises."""
    view_files(database, "stored", files, StoredEvent)
    database.ask(_EVENTS.format(since=to_micros(midnight(scope.since)) if scope.since else "NULL"))
    summary = _read_summary(database, scope)
    products = read_products(database, scope.top)
    return RawFigures(
        summary=summary,
        over_time=_read_over_time(database, scope, summary),
        products=products,
        categories=read_categories(database, scope.top),
        activity=read_activity(database, scope.top),
        delay=read_delay(database),
    )


def _read_summary(database: Database, scope: Scope) -> Summary:
    now = to_micros(scope.now)
    events, later, *found = database.one(_SUMMARY, now=now)
    first, last, received = (None if time is None else from_micros(time) for time in found[:3])
    nulls = dict(zip(_COLUMNS, found[3:], strict=True))
    return Summary(events, later, first, last, received, nulls)


def _read_over_time(database: Database, scope: Scope, summary: Summary) -> OverTime | None:
    """Return the events up to now by time: of the days that were asked for, or of all there are."""
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
