"""The receipt of an erasure: what was erased and when, without saying of whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from itertools import chain

from pydantic import BaseModel, ConfigDict

Days = tuple[tuple[date, date], ...]
"""Runs of days: the first and the last day of each, in order."""

_DAY = timedelta(days=1)


class Erasure(BaseModel):
    """The receipt of an erasure. The users' ids are in a file of their own until it is closed."""

    model_config = ConfigDict(frozen=True)

    number: int
    """The commit with which it began."""
    erased_at: datetime
    topic_ends: dict[int, int]
    """The offset from which on records are later than the erasure, by partition."""
    leader_epochs: dict[int, int] = {}
    """The epochs of the partitions' leaders then, as far as Kafka tells them."""
    on_kafka_until: datetime | None
    """When Kafka deletes the last of the earlier records, at the latest; None if never."""
    rows: int = 0
    failed: int = 0
    days: Days = ()
    """The days of the rows, without those that have no day."""
    finished: bool = False
    """Whether all rows and failed events from before it are gone."""
    closed: bool = False
    """Whether none of its records can come from Kafka any more; then the ids are deleted."""

    def plus(self, *, rows: int = 0, failed: int = 0, day: str | None = None) -> Erasure:
        """Return the receipt after more rows, of `day`, and more failed events were erased."""
        known = (
            run_day(first, n) for first, last in self.days for n in range((last - first).days + 1)
        )
        days = chain(known, _as_days(day))
        return self.model_copy(
            update={
                "rows": self.rows + rows,
                "failed": self.failed + failed,
                "days": day_runs(days),
            }
        )

    def close(self) -> Erasure:
        """Return the receipt without what is needed only while it is open."""
        return self.model_copy(update={"closed": True, "topic_ends": {}, "leader_epochs": {}})

    def after_cuts(self, cuts: Mapping[int, int]) -> Erasure:
        """Return the receipt after Kafka's log was cut: from these offsets on, records are new."""
        ends = {p: min(end, cuts.get(p, end)) for p, end in self.topic_ends.items()}
        return self.model_copy(update={"topic_ends": ends})

    def is_past(self, earliest: Mapping[int, int]) -> bool:
        """Return whether a topic that begins at these offsets has no earlier record left."""
        return all(earliest.get(p, end) >= end for p, end in self.topic_ends.items())


def run_day(first: date, number: int) -> date:
    """Return the day that is `number` days after `first`."""
    return first + number * _DAY


def _as_days(day: str | None) -> list[date]:
    try:
        return [date.fromisoformat(day)] if day else []
    except ValueError:  # the partition of events without a time
        return []


def day_runs(days: Iterable[date]) -> Days:
    """Return the runs of consecutive `days`."""
    runs: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if runs and day - runs[-1][1] == _DAY:
            runs[-1] = runs[-1][0], day
        else:
            runs.append((day, day))
    return tuple(runs)
