"""The contract of the events pipeline: models, wire format, derived schemas, the metrics."""

from events_schema.avro import (
    avro_schema,
    decode,
    encode,
    envelope_encoder,
    fingerprint,
    max_record_bytes,
    released_schemas,
)
from events_schema.columns import Column, ColumnType, column_names, columns
from events_schema.ddl import ddl
from events_schema.enrichment import enrich
from events_schema.errors import DecodeError, EventsError, MalformedJson, SchemaError
from events_schema.event import (
    EnrichedEvent,
    Event,
    EventEnvelope,
    PostedEvent,
    StoredEvent,
    UserMetrics,
)
from events_schema.failed import FailureReason
from events_schema.json_schema import json_schema
from events_schema.parse import parse_event

__all__ = [
    "Column",
    "ColumnType",
    "DecodeError",
    "EnrichedEvent",
    "Event",
    "EventEnvelope",
    "EventsError",
    "FailureReason",
    "MalformedJson",
    "PostedEvent",
    "SchemaError",
    "StoredEvent",
    "UserMetrics",
    "avro_schema",
    "column_names",
    "columns",
    "ddl",
    "decode",
    "encode",
    "enrich",
    "envelope_encoder",
    "fingerprint",
    "json_schema",
    "max_record_bytes",
    "parse_event",
    "released_schemas",
]
