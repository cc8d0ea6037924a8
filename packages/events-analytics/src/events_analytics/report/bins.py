"""The bins of a chart over time: as fine as possible while the chart stays readable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from events_schema.column import EPOCH

MOST_BINS = 120
"""The most bars in a chart; people cannot read more."""


class BinSize(StrEnum):
    """The length of the bins."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    DECADE = "decade"
    CENTURY = "century"

    @property
    def counted_by(self) -> timedelta:
        """The length of the intervals since the epoch in which to count events.

        Each interval is completely in one bin.
        """
        exact = {BinSize.MINUTE: timedelta(minutes=1), BinSize.HOUR: timedelta(hours=1)}
        return exact.get(self, timedelta(days=1))

    def start(self, time: datetime) -> datetime:
        """Return the start of the bin that contains the UTC `time`."""
        day = time.replace(hour=0, minute=0, second=0, microsecond=0)
        match self:
            case BinSize.MINUTE:
                return time.replace(second=0, microsecond=0)
            case BinSize.HOUR:
                return time.replace(minute=0, second=0, microsecond=0)
            case BinSize.DAY:
                return day
            case BinSize.WEEK:
                return day - timedelta(days=day.weekday())
            case BinSize.MONTH:
                return day.replace(day=1)
        years = {BinSize.YEAR: 1, BinSize.DECADE: 10, BinSize.CENTURY: 100}[self]
        return day.replace(year=day.year - day.year % years, month=1, day=1)

    def starts(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Yield the starts of the bins from the one with `first` to the one with `last`."""
        start, end = self.start(first), self.start(last)
        yield start
        while start < end:
            # The stride is longer than one bin and shorter than two, so it ends in the next one.
            start = self.start(start + self._stride)
            yield start

    @property
    def _stride(self) -> timedelta:
        years = {BinSize.YEAR: 1, BinSize.DECADE: 10, BinSize.CENTURY: 100}
        if self in years:
            return timedelta(days=366 * years[self])
        days = {BinSize.WEEK: 7, BinSize.MONTH: 31}
        return timedelta(days=days[self]) if self in days else self.counted_by


def bin_size(first: datetime, last: datetime) -> BinSize:
    """Return the finest size that gives at most `MOST_BINS` bins from `first` to `last`."""
    for size in BinSize:
        fewest = (last - first) // size._stride  # noqa: SLF001  # its own module
        if fewest < MOST_BINS and sum(1 for _ in size.starts(first, last)) <= MOST_BINS:
            return size
    return BinSize.CENTURY


def fill_bins(
    size: BinSize, first: datetime, last: datetime, counts: Iterable[tuple[int, int]]
) -> list[tuple[datetime, int]]:
    """Return each bin's start and number of events, from `first`'s bin to `last`'s.

    `counts` has pairs of an interval's number since 1970 and its number of events. An interval is
    `size.counted_by` long.
    """
    filled = dict.fromkeys(size.starts(first, last), 0)
    for stretch, events in counts:
        filled[size.start(EPOCH + stretch * size.counted_by)] += events
    return list(filled.items())
