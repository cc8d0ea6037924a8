"""Computes the delay from an event's time to its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from events_analytics.report.model import Delay, DelayBand
from events_schema.runtime.database import Database

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

EDGES_MS = (0, _SECOND, 10 * _SECOND, _MINUTE, 10 * _MINUTE, _HOUR, _DAY)
"""The starts of the bands; each has at most 3 significant digits."""

# Truncated to 3 significant digits, there are at most about 15,000 different delays, however many
# events there are. These are counted here, and the figures are exact to 3 digits.
_DELAYS = """
WITH delays AS (SELECT (received_time - event_time) AS micros FROM events),
     scaled AS (
         SELECT micros // 1000 AS ms,
                power(10, greatest(length((micros // 1000)::VARCHAR) - 3, 0))::BIGINT AS digit
         FROM delays WHERE micros >= 0
     )
SELECT ms // digit * digit, count(*) FROM scaled GROUP BY 1
UNION ALL SELECT -1, count(*) FROM delays WHERE micros < 0
UNION ALL SELECT NULL, count(*) FROM delays WHERE micros IS NULL
"""


def read_delay(database: Database) -> Delay:
    """Return the delays of the events in the view `events`."""
    return delay_of(dict(database.ask(_DELAYS)))


def delay_of(counts: Mapping[int | None, int]) -> Delay:
    """Summarize the delays. `counts` maps a delay in ms to its number of events.

    The key -1 stands for all negative delays, and None for events without a delay.
    """
    delays = {
        ms: counts[ms] for ms in sorted(key for key in counts if key is not None and key >= 0)
    }
    bands = tuple(
        DelayBand(
            at_least_ms=start,
            below_ms=end,
            events=sum(
                events for ms, events in delays.items() if start <= ms and (end is None or ms < end)
            ),
        )
        for start, end in pairwise((*EDGES_MS, None))
        if start is not None
    )
    return Delay(
        bands=bands,
        before=counts.get(-1, 0),
        unknown=counts.get(None, 0),
        median_ms=_percentile(delays, 50),
        p95_ms=_percentile(delays, 95),
        longest_ms=max(delays, default=None),
    )


def _percentile(delays: Mapping[int, int], percent: int) -> int | None:
    """Return the percentile by nearest rank; `delays` must be in ascending order."""
    left = -(-sum(delays.values()) * percent // 100)
    for ms, events in delays.items():
        left -= events
        if left <= 0:
            return ms
    return None
