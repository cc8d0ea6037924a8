"""The contract of the events pipeline: models, wire format, derived schemas and metrics.

Names are imported on first use, so a program loads only what it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    "avro": ("fingerprint",),
    "column": ("Column", "ColumnType", "column_names", "columns"),
    "contract": ("Contract",),
    "sql": ("ddl",),
    "errors": (
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
    "failed": ("FailureReason",),
    "loading": ("load_contract",),
    "models.event": ("Event", "EventEnvelope", "PostedEvent"),
    "models.rows": ("EnrichedEvent", "StoredEvent", "UserMetrics"),
    "models.types": ("Bool", "Float64", "Int32", "Int64", "Text", "Time"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
