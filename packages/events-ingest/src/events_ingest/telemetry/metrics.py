"""The collector's metrics, for Prometheus.

Several workers write their own files into one folder (`PROMETHEUS_MULTIPROC_DIR`, set before they
start), and the process that is asked adds them up.
"""

from __future__ import annotations

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from events_ingest.errors import ProducerError

MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_EVENTS_OF_A_BATCH = (1, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10_000)
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SKEW_SECONDS = (-86400, -3600, -300, -60, -5, -1, 1, 5, 60, 300, 3600, 86400)


class EventMetrics:
    """The metrics of one application: outcomes of events and requests."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._requests = Counter(
            "events_ingest_requests",
            "Requests by endpoint and status code",
            ["endpoint", "code"],
            registry=self.registry,
        )
        outcomes = Counter(
            "events_ingest_events", "Events by outcome", ["outcome"], registry=self.registry
        )
        self.accepted = outcomes.labels("accepted").inc
        self.rejected = outcomes.labels("rejected").inc
        self.unacknowledged = outcomes.labels("unacknowledged").inc
        self.batch_of = Histogram(
            "events_ingest_batch_events",
            "Events in a posted batch",
            buckets=_EVENTS_OF_A_BATCH,
            registry=self.registry,
        ).observe
        self._records = Histogram(
            "events_ingest_record_batch_records",
            "Records in an acknowledged record batch",
            buckets=_EVENTS_OF_A_BATCH,
            registry=self.registry,
        )
        self._seconds = Histogram(
            "events_ingest_acknowledgement_seconds",
            "From the first record of a record batch to its acknowledgement",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight_bytes = Gauge(
            "events_ingest_in_flight_bytes",
            "Bytes of arriving bodies and of records that wait for Kafka",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._errors = Counter(
            "events_ingest_producer_errors",
            "Record batches that were not acknowledged, by reason",
            ["reason"],
            registry=self.registry,
        )
        self.clock_skew = Histogram(
            "events_ingest_clock_skew_seconds",
            "How far clients' clocks are behind, measured by the sent_at of batches",
            buckets=_SKEW_SECONDS,
            registry=self.registry,
        ).observe
        self._requests_by: dict[tuple[str, int], Counter] = {}

    def request(self, endpoint: str, code: int) -> None:
        """Count an answered request; `endpoint` must be one of a few values."""
        counter = self._requests_by.get((endpoint, code))
        if counter is None:
            counter = self._requests.labels(endpoint, str(code))
            self._requests_by[endpoint, code] = counter
        counter.inc()

    def acknowledged(self, records: int, seconds: float) -> None:
        """Count an acknowledged record batch."""
        self._records.observe(records)
        self._seconds.observe(seconds)

    def failed(self, error: ProducerError) -> None:
        """Count a record batch that failed."""
        self._errors.labels(error.code).inc()

    def text(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        return generate_latest(all_workers(self.registry))


def all_workers(own: CollectorRegistry) -> CollectorRegistry:
    """Return the registry to show: `own`, or one of all workers if there are several."""
    folder = os.environ.get(MULTIPROCESS_FOLDER)
    if folder is None:
        return own
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return registry
