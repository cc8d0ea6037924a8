"""Tests of the whole line without mocks: HTTP, Kafka, Spark, parquet, SQL."""

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
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import events_analytics
from events_ingest import CollectorServer, ServeSettings, create_app
from events_loadgen.processes.waiting import wait_until
from events_schema import (
    ColumnType,
    Contract,
    EnrichedEvent,
    Event,
    EventEnvelope,
    column_names,
    columns,
)
from events_schema.testing import contracts, histories
from line_support.topics import Topics
from stream_support.streaming import store

TOKEN = "a key"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PROCESSING_TIME = datetime.now(UTC)
"""The generated events are around this time, so that the collector accepts them."""


DEFAULT = Contract(Event)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(data=st.data(), contract=st.just(DEFAULT) | contracts(min_fields=1))
def test_what_was_posted_is_what_sql_reads_enriched_as_defined(
    spark: SparkSession, topics: Topics, data: st.DataObject, contract: Contract[Event]
) -> None:
    """Every acknowledged event is in the result once, with the metrics that `enrich` gives it."""
    history = data.draw(histories(contract, PROCESSING_TIME))
    with TemporaryDirectory() as folder:
        topic = topics.create()
        post(contract, history, topics.bootstrap, topic)
        store(spark, topics.bootstrap, topic, Path(folder), contract=contract)
        source, target = Path(folder, "raw"), Path(folder, "enriched")
        events_analytics.run(spark, contract, source, target, PROCESSING_TIME)
        rows = read(contract, target)
    once = {envelope.event_id: contract.stored.from_envelope(envelope) for envelope in history}
    assert rows == Counter(map(_row, contract.enrich(once.values(), PROCESSING_TIME)))


def post(contract: Contract[Event], history: list[EventEnvelope], brokers: str, topic: str) -> None:
    """Post every event over HTTP; each must be acknowledged under its own id."""
    settings_ = ServeSettings(brokers=brokers, topic=topic, port=0, token=TOKEN)
    app = create_app(settings_, contract=contract)
    with (
        CollectorServer(settings_, app).in_thread() as url,
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
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in fields.items()
    }


def read(contract: Contract[Event], target: Path) -> Counter[tuple[Any, ...]]:
    """Return the rows of the enriched table, read by DuckDB from the files in its folder."""
    for path in target.iterdir():
        assert pyarrow.parquet.read_schema(path).names == list(column_names(contract.enriched))
    selected = [
        f"epoch_us({column.name})" if column.type is ColumnType.TIMESTAMP else column.name
        for column in columns(contract.enriched)
    ]
    found = duckdb.execute(f"SELECT {', '.join(selected)} FROM '{target}/*.parquet'")
    return Counter(tuple(map(repr, row)) for row in found.fetchall())


def _row(event: EnrichedEvent) -> tuple[str, ...]:
    """Return the row as `read` does: by `repr`, because -0.0 equals 0.0 and True equals 1."""
    assert event.event_time is not None
    return tuple(
        repr((value - EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value)
        for value in event.model_dump().values()
    )
