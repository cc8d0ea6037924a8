"""The wire format from end to end: what Python writes, Java, Spark, parquet and DuckDB read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from events_schema import EventEnvelope, StoredEvent, avro_schema, column_names, encode
from events_schema.avro import released_schemas
from events_schema.columns import ColumnType, columns
from events_schema.testing import event_envelopes
from events_stream.records.decode import decoder

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECORD = (
    "topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, key BINARY, "
    "headers ARRAY<STRUCT<key: STRING, value: BINARY>>, value BINARY"
)
TIMES = {column.name for column in columns(StoredEvent) if column.type is ColumnType.TIMESTAMP}


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(envelopes=st.lists(event_envelopes(), min_size=1, max_size=60))
def test_any_event_survives_java_spark_parquet_and_duckdb(
    spark: SparkSession, envelopes: list[EventEnvelope]
) -> None:
    """Every field of every event is, in the end, what it was."""
    values = [encode(envelope) for envelope in envelopes]
    expected = [_row(envelope) for envelope in envelopes]
    assert _read_by_java(spark, values) == expected
    with TemporaryDirectory() as folder:
        assert _through_parquet(spark, values, Path(folder, "table")) == expected


def _row(envelope: EventEnvelope) -> dict[str, Any]:
    fields = StoredEvent.from_envelope(envelope).model_dump()
    for name in TIMES:
        fields[name] = (fields[name] - EPOCH) // timedelta(microseconds=1)
    return fields


def _read_by_java(spark: SparkSession, values: list[bytes]) -> list[dict[str, Any]]:
    """Decode with `BinaryMessageDecoder`, which knows nothing of us but the schema."""
    jvm: Any = spark._jvm
    schema = jvm.org.apache.avro.Schema.Parser().parse(json.dumps(avro_schema()))
    generic = jvm.org.apache.avro.generic.GenericData.get()
    decoder = jvm.org.apache.avro.message.BinaryMessageDecoder(generic, schema)
    rows = []
    for value in values:
        record = decoder.decode(bytearray(value))
        rows.append({name: _plain(record.get(name)) for name in column_names(StoredEvent)})
    return rows


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else value.toString()


def _through_parquet(spark: SparkSession, values: list[bytes], table: Path) -> list[dict[str, Any]]:
    rows = [("t", 0, n, EPOCH, None, None, bytearray(value)) for n, value in enumerate(values)]
    decoded = decoder(released_schemas())(spark.createDataFrame(rows, RECORD))
    decoded.select(*column_names(StoredEvent), "offset").write.parquet(str(table))
    selected = ", ".join(
        f"epoch_us({name}) AS {name}" if name in TIMES else name
        for name in column_names(StoredEvent)
    )
    found = duckdb.execute(f"""SELECT {selected} FROM '{table}/*.parquet' ORDER BY "offset" """)
    return [dict(zip(column_names(StoredEvent), row, strict=True)) for row in found.fetchall()]
