"""What the metrics say before anything is known, and when Kafka is away."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from events_stream.metrics import StreamMetrics
from events_stream.state import TableState


def lag(metrics: StreamMetrics) -> tuple[float, float]:
    """Return the lag in events and in seconds."""
    names = ("events_stream_lag_events", "events_stream_lag_seconds")
    events, seconds = map(metrics.registry.get_sample_value, names)
    assert events is not None
    assert seconds is not None
    return events, seconds


def test_nothing_is_taken_for_no_lag() -> None:
    """Before the first look it is not known, and after one in vain it grows."""
    metrics = StreamMetrics()
    events, seconds = lag(metrics)
    assert (math.isnan(events), seconds) == (True, math.inf)
    metrics.looked(TableState(), 7, datetime.now(UTC))
    assert lag(metrics) == (7, math.inf)
    metrics.looked(TableState(), 0, datetime.now(UTC))
    assert lag(metrics) == (0, 0)
    metrics.looked_in_vain()
    events, seconds = lag(metrics)
    assert math.isnan(events)
    assert 10 <= seconds < math.inf
