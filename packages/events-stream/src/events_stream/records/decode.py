"""Decodes Kafka records into events in the JVM, with one branch per writer schema.

A record is an event if and only if `Contract.decode` accepts it. Spark's `from_avro` is more
lenient: it turns a truncated body into a struct of nulls and ignores trailing bytes and bad UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro, to_avro

from events_schema import Contract, FailureReason, columns
from events_schema.avro import HEADER_LENGTH, MARKER, Schema
from events_schema.column import Column as ContractColumn
from events_schema.column import ColumnType
from events_schema.models.types import EVENT_ID_PATTERN, LATEST_TIME, MAX_TEXT_LENGTH
from events_schema.spark import spark_schema
from events_stream.records.spans import OFFSET, PARTITION, span_columns

AVRO_JAVA_OPTIONS = tuple(
    f"-Dorg.apache.avro.limits.{kind}.maxLength={1 << 20}" for kind in ("string", "bytes")
)
"""Java options for driver and executors; without them a claimed length of 2 GB would kill both."""

RECORD_COLUMNS = ("topic", "partition", "offset", "timestamp", "key", "headers", "value")


EVENT = "event"
"""The column of the decoded event: a struct, since own fields may share names with Kafka's."""

_REASON = "_reason"
"""The column of the reason beside an event's columns. No own field can have this name."""

_ERASED = "erased"
"""What stands as the reason of erased records while they are counted. No `FailureReason` is it."""

Decode = Callable[[DataFrame], DataFrame]


def decoder(contract: Contract[Any]) -> Decode:
    """Return a function that decodes records written with any of `contract.schemas`.

    It adds the columns `event`, a struct of the columns of `contract.stored`, and `reason`. For an
    event, `reason` is null. Otherwise it holds the `FailureReason`, and `event` is undefined. Use
    one function for many micro-batches: it takes many calls to Java to build. It is mostly SQL
    because each part of a `Column` takes further calls.
    """
    known = {MARKER + written_with: schema for written_with, schema in contract.schemas.items()}
    header = F.expr(f"substring(value, 1, {HEADER_LENGTH})").alias("_header")
    body = F.expr(f"substring(value, {HEADER_LENGTH + 1})").alias("_body")
    branches = {f"_decoded_{n}": (start, schema) for n, (start, schema) in enumerate(known.items())}
    branched = [_branch(name, *each) for name, each in branches.items()]
    event = _first_whole(branches, contract).alias(EVENT)
    reason = _reason(list(known), contract).alias("reason")

    def decode(records: DataFrame) -> DataFrame:
        framed = records.select(*RECORD_COLUMNS, header, body)
        whole = framed.select("*", *branched).select("*", event)
        return whole.select(*RECORD_COLUMNS, EVENT, reason)

    return decode


def _branch(name: str, start: bytes, schema: Schema) -> Column:
    written = from_avro(F.col("_body"), json.dumps(schema), {"mode": "PERMISSIVE"})
    return F.when(F.col("_header") == F.lit(start), written).alias(name)


def _first_whole(branches: Mapping[str, tuple[bytes, Schema]], contract: Contract[Any]) -> Column:
    """Return the event of the branch that encodes back to exactly the bytes of the body."""
    return F.coalesce(*(_whole(name, schema, contract) for name, (_, schema) in branches.items()))


def _whole(name: str, schema: Schema, contract: Contract[Any]) -> Column:
    there = F.col(f"{name}.event_id").isNotNull()
    again = F.when(there, to_avro(F.col(name), json.dumps(schema)))
    written = {field["name"] for field in schema["fields"]}
    members = (
        f"CAST({f'{name}.{field.name}' if field.name in written else 'NULL'} AS "
        f"{field.dataType.simpleString()}) AS {field.name}"
        for field in spark_schema(contract.stored).fields
    )
    return F.when(again == F.col("_body"), F.expr(f"struct({', '.join(members)})"))


def _reason(known: list[bytes], contract: Contract[Any]) -> Column:
    fields = columns(contract.envelope)
    texts = [column.name for column in fields if column.type is ColumnType.STRING]
    invalid = [f"NOT is_valid_utf8({EVENT}.{name})" for name in texts]
    broken = [_breaks_contract(column) for column in fields]
    cases = {
        FailureReason.EMPTY: "value IS NULL OR length(value) = 0",
        FailureReason.NOT_SINGLE_OBJECT: f"length(value) < {HEADER_LENGTH} "
        f"OR substring(value, 1, 2) != {_binary(MARKER)}",
        FailureReason.UNKNOWN_SCHEMA: f"_header NOT IN ({', '.join(map(_binary, known))})",
        FailureReason.UNREADABLE_BODY: f"{EVENT} IS NULL",
        FailureReason.INVALID_UTF8: _any(invalid),
        FailureReason.OUTSIDE_CONTRACT: _any(filter(None, broken)),
    }
    whens = (f"WHEN {condition} THEN '{reason.value}'" for reason, condition in cases.items())
    return F.expr(f"CASE {' '.join(whens)} END")


def _breaks_contract(column: ContractColumn) -> str | None:
    value = f"{EVENT}.{column.name}"
    if column.name == "event_id":
        pattern = rf"^{EVENT_ID_PATTERN}\z"  # $ allows a newline
        return f"NOT {value} RLIKE {_text(pattern)}"
    if column.type is ColumnType.STRING:
        return f"length({value}) NOT BETWEEN 1 AND {MAX_TEXT_LENGTH} OR contains({value}, '\\0')"
    if column.type is ColumnType.TIMESTAMP:
        latest = int(LATEST_TIME.replace(microsecond=0).timestamp()) * 1_000_000 + 999_999
        return f"unix_micros({value}) NOT BETWEEN 0 AND {latest}"
    if column.type is ColumnType.FLOAT64:
        return f"abs({value}) >= DOUBLE('Infinity')"  # in Spark, NaN is the greatest number
    return None


def _any(conditions: Iterable[str]) -> str:
    """Return a condition that is true if any of `conditions` is; null counts as false."""
    return " OR ".join(f"coalesce({condition}, false)" for condition in conditions)


def _binary(value: bytes) -> str:
    return f"X'{value.hex()}'"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def events(
    decoded: DataFrame,
    seen: Observation | str,
    partitions: Sequence[int] = (),
    erased: Column | None = None,
) -> DataFrame:
    """Return the events among the decoded rows, with the columns of the contract's stored row.

    Rows that are `erased` are dropped, whether or not they are events. After an action, `seen`
    holds how many records were `read` and how many of them `failed`, the `spans` of `partitions`,
    and if `erased` is given, how many others were `erased`. For a streaming query, pass a name as
    `seen`; the query's progress then has these figures.
    """
    counted = _counted(decoded, seen, [f"{EVENT}.*"], partitions, erased)
    return counted.where(F.col(_REASON).isNull()).drop(_REASON, PARTITION, OFFSET)


def failed_events(
    decoded: DataFrame, seen: Observation | str, erased: Column | None = None
) -> DataFrame:
    """Return the decoded rows that are not events, with their reason; the rest as in `events`."""
    failed = _counted(decoded, seen, RECORD_COLUMNS, (), erased).where(
        F.col(_REASON).isNotNull() & (F.col(_REASON) != _ERASED)
    )
    return failed.drop(PARTITION, OFFSET).withColumnRenamed(_REASON, "reason")


def _counted(
    decoded: DataFrame,
    seen: Observation | str,
    columns: Sequence[str],
    partitions: Sequence[int],
    erased: Column | None,
) -> DataFrame:
    reason = F.col("reason")
    if erased is not None:
        reason = F.when(erased, _ERASED).otherwise(reason)
    # The counts keep Spark from pushing a filter on the reason further down, where it would decode
    # each record a dozen times (measured: a tenth of the speed).
    counts = [F.count(F.lit(1)).alias("read"), F.count(_REASON).alias("failed")]
    if erased is not None:
        gone = F.count_if(F.col(_REASON) == _ERASED)
        counts = [counts[0], (F.count(_REASON) - gone).alias("failed"), gone.alias("erased")]
    observed = (
        reason.alias(_REASON),
        F.col("partition").alias(PARTITION),
        F.col("offset").alias(OFFSET),
    )
    return decoded.select(*columns, *observed).observe(seen, *counts, *span_columns(partitions))
