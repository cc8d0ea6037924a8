"""Spark's decoding against the contract's."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Observation, SparkSession

from events_schema import (
    DecodeError,
    EventEnvelope,
    FailureReason,
    StoredEvent,
    avro_schema,
    column_names,
    decode,
    encode,
    fingerprint,
    released_schemas,
)
from events_schema.avro import MARKER
from events_schema.testing import event_envelopes
from events_stream.records.decode import decoder, events, failed_events

RECORDS = (
    "topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, key BINARY, "
    "headers ARRAY<STRUCT<key: STRING, value: BINARY>>, value BINARY"
)
SPARK_EXAMPLES = settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)


def records(spark: SparkSession, values: list[bytes | None]) -> DataFrame:
    """Return Kafka records that have these values, at offsets 0, 1, ..."""
    rows = [
        ("t", 0, offset, datetime(2026, 1, 31, tzinfo=UTC), None, None, value and bytearray(value))
        for offset, value in enumerate(values)
    ]
    return spark.createDataFrame(rows, RECORDS)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An encoded event in which some bytes were cut, put in or changed."""
    value = bytearray(encode(draw(event_envelopes())))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(value) - 1, 0)))
        kind = draw(st.sampled_from(["cut", "insert", "change", "truncate"]))
        if kind == "truncate":
            del value[place:]
        elif kind == "cut":
            del value[place : place + draw(st.integers(1, 4))]
        elif kind == "insert":
            value[place:place] = draw(st.binary(min_size=1, max_size=4))
        elif value:
            value[place] = draw(st.integers(0, 255))
    return bytes(value)


@SPARK_EXAMPLES
@given(values=st.lists(event_envelopes().map(encode) | damaged() | st.none(), max_size=80))
def test_spark_takes_for_events_exactly_what_the_contract_does(
    spark: SparkSession, values: list[bytes | None]
) -> None:
    """Valid, damaged and missing values: same verdict; and the same event where there is one."""
    decoded = decoder(released_schemas())(records(spark, values))
    found = {row["offset"]: row for row in decoded.collect()}
    assert sorted(found) == list(range(len(values)))
    for offset, value in enumerate(values):
        expected = _decoded(value)
        row = found[offset]
        assert (row["reason"] is None) == (expected is not None), (value, row)
        if expected is not None:
            for name in ("event_id", "user_id", "app_name", "event_action", "event_category"):
                assert row[name] == getattr(expected, name)


def _decoded(value: bytes | None) -> EventEnvelope | None:
    try:
        return decode(value)
    except DecodeError:
        return None


VALUE = encode(
    EventEnvelope(
        event_id="0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        received_time=datetime(2026, 1, 31, tzinfo=UTC),
        event_time=datetime(2026, 1, 31, tzinfo=UTC),
        user_id=1,
        app_name="shop",
        event_category="page",
    )
)

FAILING: dict[str, tuple[bytes | None, FailureReason]] = {
    "null": (None, FailureReason.EMPTY),
    "empty": (b"", FailureReason.EMPTY),
    "garbage": (b"garbage", FailureReason.NOT_SINGLE_OBJECT),
    "unknown fingerprint": (VALUE[:2] + bytes(8) + VALUE[10:], FailureReason.UNKNOWN_SCHEMA),
    "no body": (VALUE[:10], FailureReason.UNREADABLE_BODY),
    "truncated": (VALUE[:-3], FailureReason.UNREADABLE_BODY),
    "trailing": (VALUE + b"x", FailureReason.UNREADABLE_BODY),
    "2 GB": (VALUE[:10] + b"\xee\xff\xff\xff\x0f" + VALUE[11:], FailureReason.UNREADABLE_BODY),
    "bad UTF-8": (VALUE.replace(b"shop", b"sh\xffp"), FailureReason.INVALID_UTF8),
    "same length": (VALUE.replace(b"shop", b"\xf0\x9f\x98p"), FailureReason.INVALID_UTF8),
    "no UUID": (VALUE.replace(b"0190a1b2", b"0190A1B2"), FailureReason.OUTSIDE_CONTRACT),
    "NUL": (VALUE.replace(b"shop", b"sh\0p"), FailureReason.OUTSIDE_CONTRACT),
}


@pytest.mark.parametrize("case", FAILING)
def test_the_reason_is_the_contracts(case: str) -> None:
    """The contract's own decoding gives the reason that is kept."""
    value, reason = FAILING[case]
    with pytest.raises(DecodeError) as refusal:
        decode(value)
    assert refusal.value.reason == reason


def test_failed_events_keep_the_record_and_the_reason(spark: SparkSession) -> None:
    """Every column of the record as it was; and the events around them are there."""
    values = [VALUE, *(value for value, _ in FAILING.values()), VALUE]
    decoded = decoder(released_schemas())(records(spark, values)).cache()
    one, other = Observation(), Observation()
    failed = sorted(failed_events(decoded, one).collect(), key=lambda row: row["offset"])
    assert [(row["value"], row["reason"]) for row in failed] == list(FAILING.values())
    assert {row["topic"] for row in failed} == {"t"}
    assert events(decoded, other).count() == 2
    assert one.get == other.get == {"read": len(values), "failed": len(failed)}


def test_an_older_writer_schema_is_read_with_nulls_for_what_it_lacks(spark: SparkSession) -> None:
    """One branch per fingerprint: records of two writers in one batch."""
    older: dict[str, Any] = copy.deepcopy(avro_schema())
    del older["fields"][-1]
    assert older["fields"][-1]["name"] == "event_category"
    old_value = MARKER + fingerprint(older) + VALUE[10:-1]
    schemas = {**released_schemas(), fingerprint(older): older}
    decoded = decoder(schemas)(records(spark, [VALUE, old_value, old_value + b"x"]))
    rows = decoded.orderBy("offset").collect()
    assert [row["reason"] for row in rows] == [None, None, FailureReason.UNREADABLE_BODY]
    assert rows[0][7:15] == rows[1][7:15]
    assert tuple(rows[1].asDict())[7:15] == column_names(StoredEvent)
