"""Hypothesis strategies for contracts, valid and invalid events, and histories of events."""

from events_schema.testing.bodies import almost_events, bodies, damaged
from events_schema.testing.contracts import contracts
from events_schema.testing.events import (
    REQUIRED_FIELDS,
    event_envelopes,
    invalid_posted_events,
    posted_events,
)
from events_schema.testing.tables import histories, raw_tables, repetitive_tables
from events_schema.testing.values import (
    AWKWARD_FLOATS,
    AWKWARD_TEXTS,
    INT32_MAX,
    INT32_MIN,
    INT64_MAX,
    INT64_MIN,
    INVALID_EVENT_IDS,
    INVALID_TIMES,
    MICROSECOND,
    event_ids,
    float64s,
    int32s,
    int64s,
    rfc3339,
    texts,
    times,
    values,
)

__all__ = [
    "AWKWARD_FLOATS",
    "AWKWARD_TEXTS",
    "INT32_MAX",
    "INT32_MIN",
    "INT64_MAX",
    "INT64_MIN",
    "INVALID_EVENT_IDS",
    "INVALID_TIMES",
    "MICROSECOND",
    "REQUIRED_FIELDS",
    "almost_events",
    "bodies",
    "contracts",
    "damaged",
    "event_envelopes",
    "event_ids",
    "float64s",
    "histories",
    "int32s",
    "int64s",
    "invalid_posted_events",
    "posted_events",
    "raw_tables",
    "repetitive_tables",
    "rfc3339",
    "texts",
    "times",
    "values",
]
