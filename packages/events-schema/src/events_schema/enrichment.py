"""The definition of the two metrics in plain Python; the Spark job is tested against it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from events_schema.models.rows import EnrichedEvent, StoredEvent

WINDOW = timedelta(hours=3)
"""The default window of `u_count`: how far before the processing time an event counts."""


def enrich(
    events: Iterable[StoredEvent],
    processing_time: datetime,
    window: timedelta,
    model: type[EnrichedEvent],
) -> list[EnrichedEvent]:
    """Return every event of the raw table as a `model` with its user's metrics, in order.

    `Contract.enrich` defines the metrics.
    """
    rows = list(events)
    recent: Counter[int] = Counter()
    actions: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.user_id is None:
            continue
        if row.event_time and processing_time - window <= row.event_time < processing_time:
            recent[row.user_id] += 1
        if row.event_action is not None:
            actions[row.user_id][row.event_action] += 1
    favourite = {user: _most_frequent(counts) for user, counts in actions.items()}
    return [_enriched(row, recent, favourite, model) for row in rows]


def _most_frequent(counts: Counter[str]) -> str:
    return min(counts, key=lambda action: (-counts[action], action))


def _enriched(
    row: StoredEvent,
    recent: Counter[int],
    favourite: dict[int, str],
    model: type[EnrichedEvent],
) -> EnrichedEvent:
    known = row.model_dump(exclude={"event_id", "received_time"})
    if row.user_id is None:
        return model(**known, u_count=None, u_mp_ea=None)
    return model(**known, u_count=recent[row.user_id] or None, u_mp_ea=favourite.get(row.user_id))
