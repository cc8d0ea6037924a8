"""The event: as its sender describes it, as a client posts it, and as a record on Kafka."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from events_schema.column import foreign_columns
from events_schema.errors import ContractError, ForeignFields
from events_schema.models.own_fields import check_own_fields
from events_schema.models.types import EventId, Int32, Text, Time


class Model(BaseModel):
    """The base class of the models: strict types, no unknown fields, immutable values."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,  # an own field of another type raises ContractError instead
    )


class Event(Model):
    """An event as its sender describes it: six fields, three of them optional.

    The collector sets `event_time` if the sender leaves it out. A team adds its own fields in a
    subclass: optional fields of the types in `events_schema`. Any other subclass raises
    `ContractError`.
    """

    event_time: Time | None = Field(
        default=None, description="when it happened; if left out, the time of receipt"
    )
    user_id: Int32 = Field(description="who did it")
    app_name: Text = Field(description="in which product")
    event_action: Text | None = Field(
        default=None, description="what was done, such as `page_view`"
    )
    event_category: Text = Field(description="with what, such as a page or a feature")
    event_value: Int32 | None = Field(
        default=None, description="a number that goes with the action"
    )

    def __init_subclass__(cls, *, derived: bool = False) -> None:
        """Accept the keyword `derived`, which marks the classes that the contract derives."""
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, *, derived: bool = False, **kwargs: Any) -> None:
        """Check the own fields of a team's subclass. Raises `ContractError`."""
        super().__pydantic_init_subclass__(**kwargs)
        if not derived:
            check_own_fields(cls, Event)


class PostedEvent(Event, derived=True):
    """What a client posts: an event and, optionally, its idempotency key."""

    event_id: EventId | None = Field(
        default=None,
        description="the idempotency key: an event that is sent again with it is stored once",
    )


class _Receipt(Model):
    event_id: EventId = Field(description="the idempotency key")
    received_time: Time = Field(description="when the collector or the service received the event")


class EventEnvelope(Event, _Receipt, derived=True):
    """A record on Kafka: the collector's receipt, then the event's fields."""

    event_time: Time = Field(description="when it happened")

    @classmethod
    def from_posted(cls, event: Event) -> Self:
        """Return the envelope of `event`, with the current time as `received_time`.

        If `event` has no `event_id`, it gets a random UUID; if it has no `event_time`, the time of
        receipt. Raises `ForeignFields` if it has fields that this contract lacks, and
        `ContractError` if it is not an event.
        """
        if not isinstance(event, Event):
            raise ContractError(
                f"from_posted takes an event, got {type(event).__name__}; make one with the "
                f"contract's class, or from JSON with contract.parse_event(body)"
            )
        members = event.__dict__
        foreign = foreign_columns(type(event), cls)
        if foreign:
            raise ForeignFields(
                f"{type(event).__name__} has {', '.join(foreign)}, which this contract lacks or "
                f"has with another type; make the envelope with the contract of that class"
            )
        received_time = datetime.now(UTC)
        return cls.model_validate(
            {
                **members,
                "event_id": members.get("event_id") or str(uuid4()),
                "received_time": received_time,
                "event_time": members["event_time"] or received_time,
            }
        )
