"""JSON Schema of what clients post, derived from the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from events_schema.column import ColumnType, columns

_WORDS: Mapping[ColumnType, str] = {
    ColumnType.BOOL: "true or false",
    ColumnType.FLOAT64: "a finite number",
    ColumnType.INT32: "an integer of 32 bits",
    ColumnType.INT64: "an integer of 64 bits",
    ColumnType.STRING: "a text",
    ColumnType.TIMESTAMP: "a time with a zone",
}
"""The description of a field whose class gives none."""


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `model`.

    It cannot say all: the window on `event_time`, keys that stand twice, and `3.0` for an
    integer (which JSON Schema allows and the contract refuses) are checked beyond it.
    """
    schema = model.model_json_schema()
    for column in columns(model):
        schema["properties"][column.name].setdefault("description", _WORDS[column.type])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
