"""Spark decodes records exactly as the contract does."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Observation, SparkSession

from events_schema import (
    ColumnType,
    Contract,
    DecodeError,
    FailureReason,
    columns,
)
from events_schema.column import EPOCH
from events_schema.testing import contracts, damaged, event_envelopes
from events_stream.records.decode import decoder, events, failed_events
from stream_support.contracts import AWKWARD, CONTRACT

RECORDS = (
    "topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, key BINARY, "
    "headers ARRAY<STRUCT<key: STRING, value: BINARY>>, value BINARY"
)
SPARK_EXAMPLES = settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)
FEW_EXAMPLES = settings(SPARK_EXAMPLES, max_examples=6)
"""Spark must plan a new query for each contract."""


def records(spark: SparkSession, values: list[bytes | None]) -> DataFrame:
    """Return Kafka records with these values, at offsets 0, 1, ..."""
    rows = [
        ("t", 0, offset, datetime(2026, 1, 31, tzinfo=UTC), None, None, value and bytearray(value))
        for offset, value in enumerate(values)
    ]
    return spark.createDataFrame(rows, RECORDS)


def double(bits: int) -> float:
    """Return the double of these 64 bits, which may be any NaN."""
    (number,) = struct.unpack("<d", struct.pack("<Q", bits))
    return float(number)


OUTSIDE: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.STRING: st.sampled_from(["", "a\0b", "x" * 257, "😀" * 257]),
    ColumnType.TIMESTAMP: st.sampled_from(
        [EPOCH - timedelta(microseconds=1), datetime.min.replace(tzinfo=UTC)]
    ),
    ColumnType.FLOAT64: st.integers(0, 2**52 - 1).map(lambda bits: double(0x7FF << 52 | bits)),
}
"""Values that an unchecked writer may send, by type, including infinity and every NaN."""


@st.composite
def outside(draw: st.DrawFn, contract: Contract[Any]) -> bytes:
    """A record with one field that has the right type but a value outside the contract."""
    record = dict(draw(event_envelopes(contract)))
    fields = [column for column in columns(contract.envelope) if column.type in OUTSIDE]
    column = draw(st.sampled_from(fields))
    record[column.name] = draw(OUTSIDE[column.type])
    return contract.encoder(record)


def whole(contract: Contract[Any]) -> st.SearchStrategy[bytes | None]:
    """Values that are null, or exactly the bytes that one of the contract's schemas writes."""
    return st.none() | st.one_of(
        event_envelopes(contract).map(contract.encode),
        event_envelopes(CONTRACT).map(CONTRACT.encode),
        outside(contract),
    )


def changed(contract: Contract[Any]) -> st.SearchStrategy[bytes]:
    """Encoded events in which some bytes were removed, added or changed."""
    return event_envelopes(contract).map(contract.encode).flatmap(damaged)


def assert_agrees(
    spark: SparkSession, contract: Contract[Any], values: list[bytes | None], damaged: list[bytes]
) -> None:
    """Check that Spark's verdicts and events equal the contract's; for `values`, the reasons too.

    Bytes that are damaged twice fail for two reasons, and Python may find the other one first.
    """
    decoded = decoder(contract)(records(spark, [*values, *damaged]))
    found = sorted(decoded.selectExpr(*_plain(contract)).collect(), key=lambda row: row["offset"])
    assert [row["offset"] for row in found] == list(range(len(values) + len(damaged)))
    for value, row in zip([*values, *damaged], found, strict=True):
        fields, reason = _decoded(contract, value)
        if row["offset"] < len(values):
            assert row["reason"] == reason, (value, row)
        assert (row["reason"] is None) == (reason is None), (value, row)
        if reason is None:
            assert repr(list(row[2:])) == repr(fields), (value, row)


def _plain(contract: Contract[Any]) -> list[str]:
    """Return expressions that select the columns, times as numbers.

    Python's datetime lacks some of the years that may be stored.
    """
    return ["offset", "reason"] + [
        f"unix_micros(event.{column.name})"
        if column.type is ColumnType.TIMESTAMP
        else f"event.{column.name}"
        for column in columns(contract.stored)
    ]


def _decoded(contract: Contract[Any], value: bytes | None) -> tuple[list[Any], str | None]:
    """Return the fields of the stored row with times as numbers, or the reason of the failure."""
    try:
        row = contract.stored.from_envelope(contract.decode(value))
    except DecodeError as error:
        return [], error.reason
    fields = (getattr(row, column.name) for column in columns(contract.stored))
    return [
        (field - EPOCH) // timedelta(microseconds=1) if isinstance(field, datetime) else field
        for field in fields
    ], None


@SPARK_EXAMPLES
@given(
    values=st.lists(whole(CONTRACT), max_size=60), damaged=st.lists(changed(CONTRACT), max_size=40)
)
def test_spark_takes_for_events_exactly_what_the_contract_does(
    spark: SparkSession, values: list[bytes | None], damaged: list[bytes]
) -> None:
    """For valid, damaged and missing values, verdicts are equal, and so are the events."""
    assert_agrees(spark, CONTRACT, values, damaged)


@FEW_EXAMPLES
@given(data=st.data(), contract=st.just(AWKWARD) | contracts(min_fields=1, max_fields=20))
def test_the_same_holds_for_contracts_with_own_fields(
    spark: SparkSession, contract: Contract[Any], data: st.DataObject
) -> None:
    """Own fields may have every type and name, and records of the default contract are mixed in."""
    values = data.draw(st.lists(whole(contract), min_size=20, max_size=60))
    assert_agrees(spark, contract, values, data.draw(st.lists(changed(contract), max_size=40)))


VALUE = CONTRACT.encode(
    CONTRACT.envelope(
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
    """`Contract.decode` gives the expected reason."""
    value, reason = FAILING[case]
    with pytest.raises(DecodeError) as refusal:
        CONTRACT.decode(value)
    assert refusal.value.reason == reason


def test_failed_events_keep_the_record_and_the_reason(spark: SparkSession) -> None:
    """A failed event has all columns of its record, and the events around it are still found."""
    values = [VALUE, *(value for value, _ in FAILING.values()), VALUE]
    decoded = decoder(CONTRACT)(records(spark, values)).cache()
    one, other = Observation(), Observation()
    failed = sorted(failed_events(decoded, one).collect(), key=lambda row: row["offset"])
    assert [(row["value"], row["reason"]) for row in failed] == list(FAILING.values())
    assert {row["topic"] for row in failed} == {"t"}
    assert events(decoded, other).count() == 2
    assert one.get == other.get == {"read": len(values), "failed": len(failed)}


NANS = {
    "quiet": 0x7FF8 << 48,
    "negative": 0xFFF8 << 48,
    "signalling": 0x7FF0_0000_0000_0001,
    "with a payload": 0x7FFC_0000_DEAD_BEEF,
    "infinity": 0x7FF0 << 48,
    "minus infinity": 0xFFF0 << 48,
}


def test_numbers_that_are_not_finite_and_odd_booleans_fail_for_the_contracts_reason(
    spark: SparkSession,
) -> None:
    """Every NaN fails, whatever its bits, and so does a boolean byte other than 0 or 1."""
    value = AWKWARD.encode(AWKWARD.decode(VALUE).model_copy(update={"value": 1.5, "final": True}))
    assert value.endswith(b"\x02" + struct.pack("<d", 1.5) + b"\x02\x01")
    odd = [value[:-1] + bytes([byte]) for byte in (0, 2, 255)]
    not_finite = [value[:-10] + struct.pack("<Q", bits) + value[-2:] for bits in NANS.values()]
    expected = [_decoded(AWKWARD, each)[1] for each in (*odd, *not_finite)]
    unreadable, outside = FailureReason.UNREADABLE_BODY, FailureReason.OUTSIDE_CONTRACT
    assert expected == [None, unreadable, unreadable, *[outside] * len(NANS)]
    assert_agrees(spark, AWKWARD, [*odd, *not_finite], [])


def test_an_older_writer_schema_is_read_with_nulls_for_what_it_lacks(spark: SparkSession) -> None:
    """Records of two writers in one batch are each decoded with their own schema."""
    envelope = AWKWARD.decode(VALUE)
    full = AWKWARD.encode(envelope.model_copy(update={"topic": "of the event", "final": False}))
    decoded = decoder(AWKWARD)(records(spark, [full, VALUE, VALUE + b"x"]))
    rows = decoded.orderBy("offset").collect()
    assert [row["reason"] for row in rows] == [None, None, FailureReason.UNREADABLE_BODY]
    assert [row["topic"] for row in rows] == ["t", "t", "t"]
    assert [rows[n]["event"]["topic"] for n in range(2)] == ["of the event", None]
    assert rows[0]["event"][:8] == rows[1]["event"][:8]
    assert set(rows[1]["event"][8:]) == {None}
    stored = events(decoded, Observation())
    assert tuple(stored.columns) == tuple(AWKWARD.stored.model_fields)
    assert sorted(row["topic"] or "" for row in stored.collect()) == ["", "of the event"]
