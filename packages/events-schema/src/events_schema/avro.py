"""Kafka's wire format: Avro single-object encoding, and every schema ever released for it.

A value is `C3 01`, the 8-byte little-endian CRC-64-AVRO fingerprint of the writer's schema,
then the Avro body (Avro specification 1.12, "Single-object encoding").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from io import BytesIO
from types import MappingProxyType
from typing import Any, cast

import fastavro
from fastavro.schema import fingerprint as fastavro_fingerprint
from fastavro.schema import to_parsing_canonical_form
from pydantic import BaseModel, ValidationError

from events_schema.columns import Column, ColumnType, columns
from events_schema.encoder import record_encoder
from events_schema.errors import DecodeError
from events_schema.event import LATEST_TIME, MAX_TEXT_LENGTH, EventEnvelope
from events_schema.failed import FailureReason

Schema = dict[str, Any]

_UNIQUE = ("event_id", "received_time", "event_time")
MARKER = b"\xc3\x01"
HEADER_LENGTH = len(MARKER) + 8
NAMESPACE = "events"

_AVRO_TYPES: Mapping[ColumnType, str | Schema] = {
    ColumnType.INT32: "int",
    ColumnType.INT64: "long",
    ColumnType.STRING: "string",
    ColumnType.TIMESTAMP: {"type": "long", "logicalType": "timestamp-micros"},
}


def avro_schema(model: type[BaseModel] = EventEnvelope) -> Schema:
    """Return the Avro record schema derived from `model`."""
    fields = [_avro_field(column) for column in columns(model)]
    return {"type": "record", "name": model.__name__, "namespace": NAMESPACE, "fields": fields}


def _avro_field(column: Column) -> Schema:
    avro_type = _AVRO_TYPES[column.type]
    if column.nullable:
        return {"name": column.name, "type": ["null", avro_type], "default": None}
    return {"name": column.name, "type": avro_type}


def fingerprint(schema: Schema) -> bytes:
    """Return the 8 bytes of the schema's CRC-64-AVRO fingerprint, as they stand on the wire."""
    return bytes.fromhex(fastavro_fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


@cache
def released_schemas() -> Mapping[bytes, Schema]:
    """Return every released writer schema by its fingerprint, the oldest first."""
    folder = resources.files("events_schema") / "released"
    files = [file for file in folder.iterdir() if file.name.endswith(".avsc")]
    files.sort(key=lambda file: tuple(map(int, file.name.removesuffix(".avsc").split("."))))
    schemas = [cast(Schema, json.loads(file.read_text("utf-8"))) for file in files]
    return MappingProxyType({fingerprint(schema): schema for schema in schemas})


@cache
def _parsed(schema_fingerprint: bytes) -> Schema:
    return cast(Schema, fastavro.parse_schema(released_schemas()[schema_fingerprint]))


@cache
def envelope_encoder() -> Callable[[Mapping[str, Any]], bytes]:
    """Return a function that makes record values of envelopes given as mappings.

    For callers that have validated every value: it checks none.
    """
    header = MARKER + fingerprint(avro_schema())
    return record_encoder(header, columns(EventEnvelope), unique=_UNIQUE)


def encode(envelope: EventEnvelope) -> bytes:
    """Return the record value of `envelope`, written with the newest schema."""
    return envelope_encoder()(envelope.__dict__)


@cache
def max_record_bytes() -> int:
    """Return the length of the longest record value that an envelope can have, in bytes."""
    longest = "\U0010ffff" * MAX_TEXT_LENGTH
    return len(
        encode(
            EventEnvelope(
                event_id="f" * 8 + "-ffff-ffff-ffff-" + "f" * 12,
                received_time=LATEST_TIME,
                event_time=LATEST_TIME,
                user_id=-(2**31),
                app_name=longest,
                event_action=longest,
                event_category=longest,
                event_value=-(2**31),
            )
        )
    )


def decode(value: bytes | None) -> EventEnvelope:
    """Return the envelope in the record value `value`, whichever released schema wrote it.

    Raises `DecodeError`, with the reason code that the stream keeps for the same bytes.
    """
    if not value:
        raise DecodeError(FailureReason.EMPTY, "the record has no value")
    if value[:2] != MARKER or len(value) < HEADER_LENGTH:
        raise DecodeError(FailureReason.NOT_SINGLE_OBJECT, "the value does not start with C3 01")
    written_with = bytes(value[2:HEADER_LENGTH])
    if written_with not in released_schemas():
        raise DecodeError(FailureReason.UNKNOWN_SCHEMA, f"fingerprint {written_with.hex()}")
    body = value[HEADER_LENGTH:]
    try:
        record = fastavro.schemaless_reader(BytesIO(body), _parsed(written_with), None)
        canonical = BytesIO()
        fastavro.schemaless_writer(canonical, _parsed(written_with), record)
    except UnicodeDecodeError as error:
        raise DecodeError(FailureReason.INVALID_UTF8, str(error)) from None
    except (EOFError, ValueError, IndexError, OverflowError, TypeError) as error:
        raise DecodeError(FailureReason.UNREADABLE_BODY, repr(error)) from None
    if canonical.getvalue() != body:  # bytes follow, or lengths are not what they say
        raise DecodeError(FailureReason.UNREADABLE_BODY, "the body is not its event, encoded")
    try:
        return EventEnvelope.model_validate(record)
    except ValidationError as error:
        fields = ", ".join(str(each["loc"][0]) for each in error.errors())
        raise DecodeError(FailureReason.OUTSIDE_CONTRACT, fields) from None
