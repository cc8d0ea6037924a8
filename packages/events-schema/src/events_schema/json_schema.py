"""The JSON Schema of posted events, derived from the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from events_schema.column import ColumnType, columns

_WORDS: Mapping[ColumnType, str] = {
    ColumnType.BOOL: "true or false",
    ColumnType.FLOAT64: "a finite number",
    ColumnType.INT32: "a 32-bit integer",
    ColumnType.INT64: "a 64-bit integer",
    ColumnType.STRING: "a text",
    ColumnType.TIMESTAMP: "a time with a time zone",
}
"""The description of a field that has none in its class."""


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `model`.

    Three rules cannot be expressed in it and are checked separately: the window of `event_time`,
    duplicate keys, and `3.0` for an integer, which JSON Schema allows and the contract refuses.
    """
    schema = model.model_json_schema()
    for column in columns(model):
        schema["properties"][column.name].setdefault("description", _WORDS[column.type])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
