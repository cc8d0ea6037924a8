"""What the rows of a published table are, and in which order they lie."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel

from events_schema import EnrichedEvent, UserMetrics


class Layout(StrEnum):
    """The rows of a published table."""

    EVENTS = "events"
    """Each event with its user's metrics: `EnrichedEvent`."""
    USERS = "users"
    """Each user's metrics alone: `UserMetrics`, to be joined to the raw table."""

    @property
    def model(self) -> type[BaseModel]:
        """The contract of the rows."""
        return _MODELS[self]


_MODELS: Mapping[Layout, type[BaseModel]] = {
    Layout.EVENTS: EnrichedEvent,
    Layout.USERS: UserMetrics,
}


class SortBy(StrEnum):
    """In which order rows lie, within files and from one to the next."""

    DAY = "day"
    USER_ID = "user_id"
