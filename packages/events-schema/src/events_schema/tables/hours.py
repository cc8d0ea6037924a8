"""The hours in which the rows of a file were received.

One event with a wrong clock makes the time from the first to the last row long. The hours between
them show that there is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from events_schema.column import EPOCH

Hours = tuple[tuple[int, int], ...]
"""Runs of hours since 1970: the first and the last hour of each, in order."""

Span = tuple[datetime, datetime]
"""A time and a later one, both included."""

MOST_RUNS = 32
"""A file keeps at most this many runs; the nearest ones are merged."""

_HOUR = timedelta(hours=1)
_REST = timedelta(minutes=59, seconds=59, microseconds=999_999)


def hour_runs(hours: Iterable[int]) -> Hours:
    """Return the runs that have all of `hours`."""
    distinct = sorted(set(hours))
    gaps = [(one, other) for one, other in pairwise(distinct) if other - one > 1]
    gaps = sorted(sorted(gaps, key=lambda gap: gap[0] - gap[1])[: MOST_RUNS - 1])
    starts = [*distinct[:1], *(other for _, other in gaps)]
    ends = [*(one for one, _ in gaps), *distinct[-1:]]
    return tuple(zip(starts, ends, strict=True))


def spans(hours: Hours, earliest: datetime | None, latest: datetime | None) -> Iterator[Span]:
    """Yield the times in which rows were received, given the first and the last of them.

    Files of earlier versions have no hours: any time from the first to the last.
    """
    if earliest is None or latest is None:
        return
    if not hours:
        yield earliest, latest
    for first, last in hours:
        yield max(EPOCH + first * _HOUR, earliest), min(EPOCH + last * _HOUR + _REST, latest)


def merged(times: Iterable[Span], window: timedelta) -> list[Span]:
    """Return the spans that cover `times`; those that are at most `window` apart become one."""
    spans: list[Span] = []
    for first, last in sorted(times):
        if spans and first - window <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(last, spans[-1][1])
        else:
            spans.append((first, last))
    return spans


def are_near(one: Span, other: Span, window: timedelta) -> bool:
    """Return whether the two spans have times that are at most `window` apart."""
    return one[0] - window <= other[1] and other[0] - window <= one[1]
