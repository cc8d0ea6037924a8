"""The format of Kafka record values: Avro single-object encoding.

A value is `C3 01`, the 8-byte little-endian CRC-64-AVRO fingerprint of the writer's schema,
then the Avro body (Avro specification 1.12, "Single-object encoding").
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro
from fastavro.schema import fingerprint as fastavro_fingerprint
from fastavro.schema import to_parsing_canonical_form
from pydantic import BaseModel

from events_schema.column import Column, ColumnType, columns
from events_schema.errors import DecodeError
from events_schema.failed import FailureReason

Schema = dict[str, Any]

MARKER = b"\xc3\x01"
HEADER_LENGTH = len(MARKER) + 8
NAMESPACE = "events"
RECORD_NAME = "EventEnvelope"

_AVRO_TYPES: Mapping[ColumnType, str | Schema] = {
    ColumnType.BOOL: "boolean",
    ColumnType.FLOAT64: "double",
    ColumnType.INT32: "int",
    ColumnType.INT64: "long",
    ColumnType.STRING: "string",
    ColumnType.TIMESTAMP: {"type": "long", "logicalType": "timestamp-micros"},
}


def avro_schema(model: type[BaseModel]) -> Schema:
    """Return the Avro record schema derived from `model`."""
    fields = [_avro_field(column) for column in columns(model)]
    return {"type": "record", "name": RECORD_NAME, "namespace": NAMESPACE, "fields": fields}


def _avro_field(column: Column) -> Schema:
    avro_type = _AVRO_TYPES[column.type]
    if column.nullable:
        return {"name": column.name, "type": ["null", avro_type], "default": None}
    return {"name": column.name, "type": avro_type}


def fingerprint(schema: Schema) -> bytes:
    """Return the schema's CRC-64-AVRO fingerprint: 8 bytes in the order used on the wire."""
    return bytes.fromhex(fastavro_fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


class RecordReader:
    """Reads record values that were written with one of `schemas`, a mapping by fingerprint."""

    def __init__(self, schemas: Mapping[bytes, Schema]) -> None:
        self._schemas = {
            written_with: fastavro.parse_schema(schema) for written_with, schema in schemas.items()
        }

    def read(self, value: bytes | None) -> dict[str, Any]:
        """Return the record in `value`. Raises `DecodeError` with the stream's reason code."""
        if not value:
            raise DecodeError(FailureReason.EMPTY, "the record has no value")
        if value[:2] != MARKER or len(value) < HEADER_LENGTH:
            raise DecodeError(
                FailureReason.NOT_SINGLE_OBJECT, "the value does not start with C3 01"
            )
        schema = self._schemas.get(bytes(value[2:HEADER_LENGTH]))
        if schema is None:
            raise DecodeError(
                FailureReason.UNKNOWN_SCHEMA, f"fingerprint {value[2:HEADER_LENGTH].hex()}"
            )
        body = value[HEADER_LENGTH:]
        try:
            record = fastavro.schemaless_reader(BytesIO(body), schema, None)
            canonical = BytesIO()
            fastavro.schemaless_writer(canonical, schema, record)
        except UnicodeDecodeError as error:
            raise DecodeError(FailureReason.INVALID_UTF8, str(error)) from None
        except (EOFError, ValueError, IndexError, OverflowError, TypeError) as error:
            raise DecodeError(FailureReason.UNREADABLE_BODY, repr(error)) from None
        if canonical.getvalue() != body:  # trailing bytes, or lengths that are not minimal
            raise DecodeError(
                FailureReason.UNREADABLE_BODY, "the body differs from its event encoded again"
            )
        assert isinstance(record, dict)  # noqa: S101  # the schema is a record's
        return record
