"""JSON Schema of what clients post, derived from the model."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from events_schema.event import PostedEvent


def json_schema(model: type[BaseModel] = PostedEvent) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `model`.

    It cannot say all: the window on `event_time`, keys that stand twice, and `3.0` for an
    integer (which JSON Schema allows and the contract refuses) are checked beyond it.
    """
    schema = model.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
