"""Counts the failed events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from events_analytics.report.model import Failed, FailedReason, Rest
from events_analytics.report.tables import FailedRow
from events_schema.runtime.database import Database
from events_schema.runtime.times import from_micros, midnight, to_micros
from events_schema.tables.views import view_files

_REASONS = """
SELECT reason, count(*), max(epoch_us(timestamp)) FROM failed
WHERE $since IS NULL OR epoch_us(timestamp) >= $since
GROUP BY reason ORDER BY count(*) DESC, reason NULLS LAST
"""


def read_failed_figures(
    database: Database, files: Sequence[Path], since: date | None, top: int
) -> Failed:
    """Count the failed events in `files` by reason, from the day `since` on if it is given."""
    view_files(database, "failed", files, FailedRow)
    found = database.ask(_REASONS, since=to_micros(midnight(since)) if since else None)
    events = sum(count for _, count, _ in found)
    reasons = tuple(
        FailedReason(
            reason=reason, events=count, newest=None if newest is None else from_micros(newest)
        )
        for reason, count, newest in found[:top]
    )
    left = found[top:]
    rest = Rest(names=len(left), events=sum(count for _, count, _ in left)) if left else None
    return Failed(events=events, reasons=reasons, rest=rest)
