"""The models that follow from a team's class: what is posted, on Kafka and in the tables."""

from __future__ import annotations

import inspect
from functools import cache
from types import new_class
from typing import Any, TypeVar, cast

from pydantic import create_model

from events_schema.models.event import Event, EventEnvelope, PostedEvent
from events_schema.models.own_fields import own_field_names
from events_schema.models.rows import EnrichedEvent, StoredEvent
from events_schema.models.types import StoredText, Text

RowT = TypeVar("RowT", StoredEvent, EnrichedEvent)


@cache
def posted_model(event: type[Event]) -> type[PostedEvent]:
    """Return what a client posts: the event's fields and, optionally, its idempotency key."""
    return cast(type[PostedEvent], _joined(PostedEvent, event))


@cache
def envelope_model(event: type[Event]) -> type[EventEnvelope]:
    """Return the record on Kafka: the receipt, then the event's fields."""
    return cast(type[EventEnvelope], _joined(EventEnvelope, event))


def _joined(model: type[Event], event: type[Event]) -> type[Event]:
    """Return a subclass of both, under the name of `model`, so that a value is one of each."""
    if event is Event:
        return model
    members = {"__module__": event.__module__, "__doc__": inspect.getdoc(event)}
    made = new_class(
        model.__name__, (model, event), {"derived": True}, lambda names: names.update(members)
    )
    return cast(type[Event], made)


@cache
def stored_model(event: type[Event]) -> type[StoredEvent]:
    """Return a row of the raw table: the six columns, the receipt, then the own ones."""
    return _with_own_columns(StoredEvent, event)


@cache
def enriched_model(event: type[Event]) -> type[EnrichedEvent]:
    """Return a row of the enriched table: the six columns, the metrics, then the own ones."""
    return _with_own_columns(EnrichedEvent, event)


def _with_own_columns(model: type[RowT], event: type[Event]) -> type[RowT]:
    own: dict[str, Any] = {
        name: (_stored(event, name), None) for name in own_field_names(event, Event)
    }
    if not own:
        return model
    return create_model(model.__name__, __base__=model, __module__=event.__module__, **own)


def _stored(event: type[Event], name: str) -> Any:
    """Return the annotation of an own column in storage, where texts have no bounds."""
    annotation = event.model_fields[name].annotation
    return StoredText | None if annotation == Text | None else annotation
