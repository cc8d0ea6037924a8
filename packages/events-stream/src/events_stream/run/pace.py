"""When the next micro-batch starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Pace:
    """At most one micro-batch starts every `seconds`, by the clock: one each full minute.

    Spark's own trigger starts at most one micro-batch each time, also if it could not read all
    that is there. So Spark starts the next one when the last one has returned, and each of them
    rests until its time, unless there is a backlog. After a time without records, the next record
    starts one at once.
    """

    seconds: float

    def rest(self, planned_at: datetime, now: datetime) -> float:
        """Return how many seconds to wait after the micro-batch that was planned at this time.

        This is never more than `seconds`, even if the clock was set back.
        """
        since_trigger = planned_at.timestamp() % self.seconds
        following = planned_at + timedelta(seconds=self.seconds - since_trigger)
        return min(max((following - now).total_seconds(), 0), self.seconds)
