"""The whole line, nothing mocked: HTTP, Kafka, Spark, parquet, SQL."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import httpx
import pyarrow.parquet
from hypothesis import HealthCheck, given, settings
from pyspark.sql import SparkSession

import events_analytics
from events_ingest import CollectorServer, ServeSettings
from events_loadgen.processes.waiting import wait_until
from events_schema import EnrichedEvent, EventEnvelope, StoredEvent, column_names, enrich
from events_schema.testing import histories
from line_support.topics import Topics
from stream_support.streaming import store

TOKEN = "a key"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PROCESSING_TIME = datetime.now(UTC)
"""The histories lie around it, and so within the collector's window."""


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(history=histories(PROCESSING_TIME))
def test_what_was_posted_is_what_sql_reads_enriched_as_defined(
    spark: SparkSession, topics: Topics, history: list[EventEnvelope]
) -> None:
    """Every acknowledged event is in the result once, with the metrics that `enrich` gives it."""
    with TemporaryDirectory() as folder:
        topic = topics.create()
        post(history, topics.bootstrap, topic)
        store(spark, topics.bootstrap, topic, Path(folder))
        source, target = Path(folder, "raw"), Path(folder, "enriched")
        events_analytics.run(spark, source, target, PROCESSING_TIME)
        rows = read(target)
    once = {envelope.event_id: StoredEvent.from_envelope(envelope) for envelope in history}
    assert rows == Counter(map(_row, enrich(once.values(), PROCESSING_TIME)))


def post(history: list[EventEnvelope], brokers: str, topic: str) -> None:
    """Post every event over HTTP; each must be acknowledged under its own id."""
    settings_ = ServeSettings(brokers=brokers, topic=topic, port=0, token=TOKEN)
    with (
        CollectorServer(settings_).in_thread() as url,
        httpx.Client(base_url=url, headers={"X-Token": TOKEN}) as client,
    ):
        wait_until(lambda: client.get("/readyz").is_success, "readiness", seconds=30)
        for envelope in history:
            answer = client.post("/track", json=body(envelope))
            assert answer.status_code == HTTPStatus.OK, answer.text
            assert answer.json() == {"detail": "Event created", "event_id": envelope.event_id}


def body(envelope: EventEnvelope) -> dict[str, Any]:
    """Return the JSON of an event; optional fields that are null are left out."""
    fields = envelope.model_dump(exclude={"received_time"}, exclude_none=True)
    return {**fields, "event_time": envelope.event_time.isoformat()}


def read(target: Path) -> Counter[tuple[Any, ...]]:
    """Return the rows of the enriched table, as DuckDB reads the bare folder's files."""
    for path in target.iterdir():
        assert pyarrow.parquet.read_schema(path).names == list(column_names(EnrichedEvent))
    columns = ["epoch_us(event_time)", *column_names(EnrichedEvent)[1:]]
    found = duckdb.execute(f"SELECT {', '.join(columns)} FROM '{target}/*.parquet'")
    return Counter(found.fetchall())


def _row(event: EnrichedEvent) -> tuple[Any, ...]:
    fields = event.model_dump()
    assert event.event_time is not None
    fields["event_time"] = (event.event_time - EPOCH) // timedelta(microseconds=1)
    return tuple(fields.values())
