"""From Kafka records to events, in the JVM: one branch per released writer schema.

A record is an event exactly if `events_schema.decode` takes it. Spark's `from_avro` alone is more
lenient: a truncated body becomes a struct of nulls, trailing bytes and bad UTF-8 pass unnoticed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro, to_avro

from events_schema import EventEnvelope, FailureReason, StoredEvent, column_names, columns
from events_schema.avro import HEADER_LENGTH, MARKER
from events_schema.columns import Column as ContractColumn
from events_schema.columns import ColumnType
from events_schema.event import EVENT_ID_PATTERN, LATEST_TIME, MAX_TEXT_LENGTH
from events_schema.spark import spark_schema

Schema = dict[str, Any]

AVRO_JAVA_OPTIONS = tuple(
    f"-Dorg.apache.avro.limits.{kind}.maxLength={1 << 20}" for kind in ("string", "bytes")
)
"""What driver and executors run with: a length that claims 2 GB would kill them."""

RECORD_COLUMNS = ("topic", "partition", "offset", "timestamp", "key", "headers", "value")


Decode = Callable[[DataFrame], DataFrame]


def decoder(schemas: Mapping[bytes, Schema]) -> Decode:
    """Return what decodes records that were written with `schemas`, by fingerprint.

    It returns the records with the columns of `StoredEvent` and `reason`. That is null for an
    event; otherwise it is the `FailureReason`, and the event's columns mean nothing. Made once for
    many micro-batches, and mostly of SQL: each part of a `Column` takes calls to Java.
    """
    known = {MARKER + fingerprint: schema for fingerprint, schema in schemas.items()}
    header = F.expr(f"substring(value, 1, {HEADER_LENGTH})").alias("_header")
    body = F.expr(f"substring(value, {HEADER_LENGTH + 1})").alias("_body")
    branches = {f"_decoded_{n}": (start, schema) for n, (start, schema) in enumerate(known.items())}
    branched = [_branch(name, *each) for name, each in branches.items()]
    event = _first_whole(branches).alias("_event")
    reason = _reason(list(known)).alias("reason")

    def decode(records: DataFrame) -> DataFrame:
        framed = records.select(*RECORD_COLUMNS, header, body)
        whole = framed.select("*", *branched).select("*", event)
        return whole.select(*RECORD_COLUMNS, "_event.*", reason)

    return decode


def _branch(name: str, start: bytes, schema: Schema) -> Column:
    written = from_avro(F.col("_body"), json.dumps(schema), {"mode": "PERMISSIVE"})
    return F.when(F.col("_header") == F.lit(start), written).alias(name)


def _first_whole(branches: Mapping[str, tuple[bytes, Schema]]) -> Column:
    """Return the event of the branch whose body is, to the byte, what the event encodes to."""
    return F.coalesce(*(_whole(name, schema) for name, (_, schema) in branches.items()))


def _whole(name: str, schema: Schema) -> Column:
    there = F.col(f"{name}.event_id").isNotNull()
    again = F.when(there, to_avro(F.col(name), json.dumps(schema)))
    written = {field["name"] for field in schema["fields"]}
    members = (
        f"CAST({f'{name}.{field.name}' if field.name in written else 'NULL'} AS "
        f"{field.dataType.simpleString()}) AS {field.name}"
        for field in spark_schema(StoredEvent).fields
    )
    return F.when(again == F.col("_body"), F.expr(f"struct({', '.join(members)})"))


def _reason(known: list[bytes]) -> Column:
    texts = [column.name for column in columns(EventEnvelope) if column.type is ColumnType.STRING]
    invalid = [f"NOT is_valid_utf8(_event.{name})" for name in texts]
    broken = [_breaks_contract(column) for column in columns(EventEnvelope)]
    cases = {
        FailureReason.EMPTY: "value IS NULL OR length(value) = 0",
        FailureReason.NOT_SINGLE_OBJECT: f"length(value) < {HEADER_LENGTH} "
        f"OR substring(value, 1, 2) != {_binary(MARKER)}",
        FailureReason.UNKNOWN_SCHEMA: f"_header NOT IN ({', '.join(map(_binary, known))})",
        FailureReason.UNREADABLE_BODY: "_event IS NULL",
        FailureReason.INVALID_UTF8: _any(invalid),
        FailureReason.OUTSIDE_CONTRACT: _any(filter(None, broken)),
    }
    whens = (f"WHEN {condition} THEN '{reason.value}'" for reason, condition in cases.items())
    return F.expr(f"CASE {' '.join(whens)} END")


def _breaks_contract(column: ContractColumn) -> str | None:
    value = f"_event.{column.name}"
    if column.name == "event_id":
        pattern = rf"^{EVENT_ID_PATTERN}\z"  # $ allows a newline
        return f"NOT {value} RLIKE {_text(pattern)}"
    if column.type is ColumnType.STRING:
        return f"length({value}) NOT BETWEEN 1 AND {MAX_TEXT_LENGTH} OR contains({value}, '\\0')"
    if column.type is ColumnType.TIMESTAMP:
        latest = int(LATEST_TIME.replace(microsecond=0).timestamp()) * 1_000_000 + 999_999
        return f"unix_micros({value}) NOT BETWEEN 0 AND {latest}"
    return None


def _any(conditions: Iterable[str]) -> str:
    """Return what is true where one is; a condition on what is null is not."""
    return " OR ".join(f"coalesce({condition}, false)" for condition in conditions)


def _binary(value: bytes) -> str:
    return f"X'{value.hex()}'"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def events(decoded: DataFrame, seen: Observation | str) -> DataFrame:
    """Return the decoded rows that are events: the columns of `StoredEvent`, and `reason`.

    Once an action has run, `seen` tells how many records were `read` and how many of them
    `failed`; for a stream, whose progress tells it, `seen` is a name.
    """
    return _counted(decoded, seen, column_names(StoredEvent)).where(F.col("reason").isNull())


def failed_events(decoded: DataFrame, seen: Observation | str) -> DataFrame:
    """Return the decoded rows that are none, with their reason; `seen` as in `events`."""
    return _counted(decoded, seen, RECORD_COLUMNS).where(F.col("reason").isNotNull())


def _counted(decoded: DataFrame, seen: Observation | str, columns: Sequence[str]) -> DataFrame:
    # A filter on `reason` cannot be pushed below the counts, where Spark would decode each record
    # a dozen times (measured: a tenth of the speed).
    counts = F.count(F.lit(1)).alias("read"), F.count("reason").alias("failed")
    return decoded.select(*columns, "reason").observe(seen, *counts)
