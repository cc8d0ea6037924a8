"""Failed events: records that are not valid events, kept beside the table with a reason."""

from __future__ import annotations

from enum import StrEnum


class FailureReason(StrEnum):
    """Why a record is a failed event."""

    EMPTY = "empty"
    """The value is null or has no bytes."""
    NOT_SINGLE_OBJECT = "not_single_object"
    """The value is not in Avro single-object encoding."""
    UNKNOWN_SCHEMA = "unknown_schema"
    """No writer schema with this fingerprint is known, neither a release nor the model's own."""
    UNREADABLE_BODY = "unreadable_body"
    """The body is truncated, has trailing bytes, or does not fit the writer schema."""
    INVALID_UTF8 = "invalid_utf8"
    """A string is not UTF-8."""
    OUTSIDE_CONTRACT = "outside_contract"
    """The record decodes, but a value is not valid: a text, a time, a number or the id."""


FAILED_EVENT_DDL = (
    "topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, key BINARY, "
    "headers ARRAY<STRUCT<key: STRING, value: BINARY>>, value BINARY, reason STRING"
)
"""The columns of the failed events in Spark SQL. All are nullable."""
