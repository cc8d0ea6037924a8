"""The models derived from a team's class: the posted event, the Kafka record, the table rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import new_class
from typing import Any, TypeVar, cast

from pydantic import BaseModel, create_model

from events_schema.models.event import Event, EventEnvelope, PostedEvent
from events_schema.models.own_fields import own_field_names
from events_schema.models.rows import EnrichedEvent, StoredEvent
from events_schema.models.types import StoredText, Text

RowT = TypeVar("RowT", StoredEvent, EnrichedEvent)


@cache
def posted_model(event: type[Event]) -> type[PostedEvent]:
    """Return the model of a posted event: the event's fields and an optional idempotency key."""
    return cast(type[PostedEvent], _joined(PostedEvent, event, posted_model))


@cache
def envelope_model(event: type[Event]) -> type[EventEnvelope]:
    """Return the model of a record on Kafka: the receipt, then the event's fields."""
    return cast(type[EventEnvelope], _joined(EventEnvelope, event, envelope_model))


@cache
def stored_model(event: type[Event]) -> type[StoredEvent]:
    """Return the model of a raw row: the six columns, the receipt, then the own columns."""
    return _with_own_columns(StoredEvent, event, stored_model)


@cache
def enriched_model(event: type[Event]) -> type[EnrichedEvent]:
    """Return the model of an enriched row: the six columns, the metrics, then the own columns."""
    return _with_own_columns(EnrichedEvent, event, enriched_model)


Derive = Callable[[type[Event]], type[BaseModel]]
"""One of the functions above."""


def _joined(model: type[Event], event: type[Event], derive: Derive) -> type[Event]:
    """Return a subclass of both classes with the name of `model`."""
    if event is Event:
        return model
    members = {
        "__module__": event.__module__,
        "__doc__": event.__doc__ or model.__doc__,
        "__reduce__": _reduction(derive, event),
    }
    made = new_class(
        model.__name__, (model, event), {"derived": True}, lambda names: names.update(members)
    )
    return cast(type[Event], made)


def _with_own_columns(model: type[RowT], event: type[Event], derive: Derive) -> type[RowT]:
    own: dict[str, Any] = {
        name: (_stored(event, name), None) for name in own_field_names(event, Event)
    }
    if not own:
        return model
    made = create_model(model.__name__, __base__=model, __module__=event.__module__, **own)
    setattr(made, "__reduce__", _reduction(derive, event))  # noqa: B010  # a method, for mypy
    return made


def _stored(event: type[Event], name: str) -> Any:
    """Return the annotation of an own column in a table, where texts have no length limits."""
    annotation = event.model_fields[name].annotation
    return StoredText | None if annotation == Text | None else annotation


def _reduction(derive: Derive, event: type[Event]) -> Callable[[BaseModel], Any]:
    """Return the `__reduce__` of a derived model: the other process derives the class again."""

    def __reduce__(self: BaseModel) -> Any:  # noqa: N807
        return _empty, (derive.__name__, event), self.__getstate__()

    return __reduce__


def _empty(derive: str, event: type[Event]) -> BaseModel:
    """Return an instance of a derived model without state; pickle sets the state next."""
    model = _DERIVED[derive](event)
    return model.__new__(model)


_DERIVED: dict[str, Derive] = {
    each.__name__: each for each in (posted_model, envelope_model, stored_model, enriched_model)
}
