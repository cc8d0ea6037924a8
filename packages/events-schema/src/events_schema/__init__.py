"""The contract of the events pipeline: models, wire format, derived schemas and metrics.

Names are imported on first use, so a program loads only what it needs.
"""

from typing import TYPE_CHECKING

from events_schema.lazy import lazy_names

if TYPE_CHECKING:
    from events_schema.avro import fingerprint
    from events_schema.column import Column, ColumnType, column_names, columns
    from events_schema.contract import Contract
    from events_schema.errors import (
        ContractError,
        DecodeError,
        EventsError,
        ForeignFields,
        InvalidEvent,
        MalformedJson,
        NotAnEvolution,
        NotReleased,
        ReleaseError,
        SchemaError,
    )
    from events_schema.failed import FailureReason
    from events_schema.loading import load_contract
    from events_schema.models.event import Event, EventEnvelope, PostedEvent
    from events_schema.models.rows import EnrichedEvent, StoredEvent, UserMetrics
    from events_schema.models.types import Bool, Float64, Int32, Int64, Text, Time
    from events_schema.sql import ddl

__all__ = [
    "Bool",
    "Column",
    "ColumnType",
    "Contract",
    "ContractError",
    "DecodeError",
    "EnrichedEvent",
    "Event",
    "EventEnvelope",
    "EventsError",
    "FailureReason",
    "Float64",
    "ForeignFields",
    "Int32",
    "Int64",
    "InvalidEvent",
    "MalformedJson",
    "NotAnEvolution",
    "NotReleased",
    "PostedEvent",
    "ReleaseError",
    "SchemaError",
    "StoredEvent",
    "Text",
    "Time",
    "UserMetrics",
    "column_names",
    "columns",
    "ddl",
    "fingerprint",
    "load_contract",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "events_schema.avro": ("fingerprint",),
        "events_schema.column": ("Column", "ColumnType", "column_names", "columns"),
        "events_schema.contract": ("Contract",),
        "events_schema.errors": (
            "ContractError",
            "DecodeError",
            "EventsError",
            "ForeignFields",
            "InvalidEvent",
            "MalformedJson",
            "NotAnEvolution",
            "NotReleased",
            "ReleaseError",
            "SchemaError",
        ),
        "events_schema.failed": ("FailureReason",),
        "events_schema.loading": ("load_contract",),
        "events_schema.models.event": ("Event", "EventEnvelope", "PostedEvent"),
        "events_schema.models.rows": ("EnrichedEvent", "StoredEvent", "UserMetrics"),
        "events_schema.models.types": ("Bool", "Float64", "Int32", "Int64", "Text", "Time"),
        "events_schema.sql": ("ddl",),
    },
)
