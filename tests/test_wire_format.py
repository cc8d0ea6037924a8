"""Tests of the wire format: Java, Spark, parquet and DuckDB read what Python writes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import Observation, SparkSession

from events_schema import ColumnType, Contract, EventEnvelope, column_names, columns
from events_schema.testing import contracts, event_envelopes
from events_stream.records.decode import decoder, events
from stream_support.contracts import AWKWARD, CONTRACT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECORD = (
    "topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, key BINARY, "
    "headers ARRAY<STRUCT<key: STRING, value: BINARY>>, value BINARY"
)
EXAMPLES = settings(max_examples=15, suppress_health_check=list(HealthCheck))
FEW_EXAMPLES = settings(EXAMPLES, max_examples=6)
"""Spark needs a new plan for each contract."""


@EXAMPLES
@given(envelopes=st.lists(event_envelopes(CONTRACT), min_size=1, max_size=60))
def test_any_event_survives_java_spark_parquet_and_duckdb(
    spark: SparkSession, envelopes: list[EventEnvelope]
) -> None:
    """Every field of every event keeps its value."""
    assert_survives(spark, CONTRACT, envelopes)


@FEW_EXAMPLES
@given(data=st.data(), contract=st.just(AWKWARD) | contracts(min_fields=1, max_fields=20))
def test_any_event_with_own_fields_survives_too(
    spark: SparkSession, contract: Contract[Any], data: st.DataObject
) -> None:
    """Own fields of every type and name keep their exact values."""
    envelopes = data.draw(st.lists(event_envelopes(contract), min_size=10, max_size=40))
    assert_survives(spark, contract, envelopes)


def assert_survives(
    spark: SparkSession, contract: Contract[Any], envelopes: list[EventEnvelope]
) -> None:
    """Compare what each reader finds by `repr`, because 0.0 equals -0.0 and 1 equals True."""
    values = [contract.encode(envelope) for envelope in envelopes]
    expected = [repr(_row(contract, envelope)) for envelope in envelopes]
    assert list(map(repr, _read_by_java(spark, contract, values))) == expected
    with TemporaryDirectory() as folder:
        stored = _through_parquet(spark, contract, values, Path(folder, "table"))
        assert sorted(map(repr, stored)) == sorted(expected)


def _row(contract: Contract[Any], envelope: EventEnvelope) -> list[Any]:
    row = contract.stored.from_envelope(envelope)
    values = (getattr(row, name) for name in column_names(contract.stored))
    return [
        (value - EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value
        for value in values
    ]


def _read_by_java(
    spark: SparkSession, contract: Contract[Any], values: list[bytes]
) -> list[list[Any]]:
    """Decode with Avro's `BinaryMessageDecoder`, given only the schema."""
    jvm: Any = spark._jvm
    schema = jvm.org.apache.avro.Schema.Parser().parse(json.dumps(contract.avro_schema))
    generic = jvm.org.apache.avro.generic.GenericData.get()
    decoder = jvm.org.apache.avro.message.BinaryMessageDecoder(generic, schema)
    rows = []
    for value in values:
        record = decoder.decode(bytearray(value))
        rows.append([_plain(record.get(name)) for name in column_names(contract.stored)])
    return rows


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float) else value.toString()


def _through_parquet(
    spark: SparkSession, contract: Contract[Any], values: list[bytes], table: Path
) -> list[list[Any]]:
    rows = [("t", 0, n, EPOCH, None, None, bytearray(value)) for n, value in enumerate(values)]
    decoded = decoder(contract)(spark.createDataFrame(rows, RECORD))
    events(decoded, Observation()).write.parquet(str(table))
    selected = ", ".join(
        f"epoch_us({column.name})" if column.type is ColumnType.TIMESTAMP else column.name
        for column in columns(contract.stored)
    )
    found = duckdb.execute(f"SELECT {selected} FROM '{table}/*.parquet'")
    return [list(row) for row in found.fetchall()]
