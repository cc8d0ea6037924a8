"""The stream's Prometheus metrics."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from events_stream.table.folder.state import TableState
from events_stream.table.position import Backlog, Counts
from events_stream.table.steps import Step

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


OUTCOMES = ("stored", "duplicates", "failed", "erased")
"""What becomes of a record."""


class StreamMetrics:
    """What the stream has stored, and how far it is behind. One per process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        records = self._counter("records", "Records read, by outcome", ["outcome"])
        self._outcomes = {name: records.labels(name) for name in OUTCOMES}
        self._batches = self._counter("batches", "Batches stored")
        self._files = self._counter(
            "files_written", "Files added to the table and to the failed events"
        )
        self._phases = Histogram(
            "events_stream_phase_seconds",
            "Time that a batch took from the step before to this one",
            ["phase"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch_seconds = Histogram(
            "events_stream_batch_seconds",
            "Time from the start of a batch to its end",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._rows_per_second = self._gauge(
            "rows_per_second", "Records per second in the last batch"
        )
        self._lag = self._gauge("lag_events", "Records on the topic that the table lacks")
        self._lag.set(math.nan)
        self._gauge(
            "lag_seconds", "How long ago the table was complete; 0 if there is nothing to read"
        ).set_function(self._lag_seconds)
        self._complete = self._gauge(
            "complete_up_to_timestamp_seconds",
            "Every event acknowledged before this is stored, but for what Kafka lost",
        )
        self._complete_up_to: datetime | None = None
        self._nothing_to_read = False
        self._catch_up = self._gauge(
            "catch_up_seconds",
            "Estimated time until the backlog is stored; +Inf if it grows, 0 if there is none",
        )
        self._catch_up.set(math.nan)
        self._cuts = self._gauge(
            "log_cuts", "Times that Kafka cut off records of a partition that the table has"
        )
        self._last_cut = self._gauge(
            "last_log_cut_timestamp_seconds", "When the last of these cuts was found; 0 if never"
        )
        self._table_files = self._gauge("table_files", "Files in the table")
        self._begun = self._last_step = time.monotonic()

    def _counter(self, name: str, text: str, labels: list[str] | None = None) -> Counter:
        return Counter(f"events_stream_{name}", text, labels or [], registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"events_stream_{name}", text, registry=self.registry)

    def reached(self, step: Step) -> None:
        """Record the time since the step before `step`."""
        now = time.monotonic()
        if step is Step.BEGUN:
            self._begun = now
        else:
            self._phases.labels(step.value).observe(now - self._last_step)
        self._last_step = now

    def stored(self, counts: Counts, files: int) -> None:
        """Count a stored micro-batch that wrote `files` files."""
        seconds = time.monotonic() - self._begun
        self._batches.inc()
        self._batch_seconds.observe(seconds)
        self._rows_per_second.set(counts.read / seconds if seconds else 0)
        self._files.inc(files)
        for name, counter in self._outcomes.items():
            counter.inc(getattr(counts, name))

    def looked(self, state: TableState, lag: int, complete: datetime) -> None:
        """Set how far the table is behind the topic, in records.

        If `lag` is 0, every event acknowledged before `complete` is stored.
        """
        known = (self._complete_up_to, state.position.complete_up_to) if lag else (complete,)
        self._complete_up_to = max(filter(None, known), default=None)
        self._lag.set(lag)
        self._nothing_to_read = lag == 0
        self._table_files.set(len(state.table_files))
        self._catch_up.set(_seconds_left(state.position.backlog))
        self._cuts.set(len(state.position.cuts))
        self._last_cut.set(
            state.position.cuts[-1].found_at.timestamp() if state.position.cuts else 0
        )
        if self._complete_up_to is not None:
            self._complete.set(self._complete_up_to.timestamp())

    def looked_in_vain(self) -> None:
        """Set the lag to unknown, because Kafka did not answer."""
        self._lag.set(math.nan)
        self._catch_up.set(math.nan)
        self._nothing_to_read = False

    def _lag_seconds(self) -> float:
        if self._nothing_to_read:
            return 0
        if self._complete_up_to is None:  # unknown: an alert must not take this for no lag
            return math.inf
        return max((datetime.now(UTC) - self._complete_up_to).total_seconds(), 0)


def _seconds_left(backlog: Backlog | None) -> float:
    """Return how long it will take to store `backlog`; NaN if this is not known yet."""
    left = backlog.seconds_left if backlog else 0
    return math.nan if left is None else left
