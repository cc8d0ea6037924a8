"""What the rows of a published table are, and in which order they lie."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from events_schema import Contract, EnrichedEvent, UserMetrics, columns


class Layout(StrEnum):
    """The rows of a published table."""

    EVENTS = "events"
    """Each event with its user's metrics: `EnrichedEvent`, and a team's own columns."""
    USERS = "users"
    """Each user's metrics alone: `UserMetrics`, to be joined to the raw table."""

    def own_types(self, contract: Contract[Any]) -> Mapping[str, str]:
        """Return the types of the own columns that the rows have, by name, in order."""
        return contract.own_types if self is Layout.EVENTS else {}

    def column_types(self, own_types: Mapping[str, str]) -> Mapping[str, str]:
        """Return the types of all columns, by name, in order: those of the contract, then own."""
        ours = {column.name: column.type.value for column in columns(_MODELS[self])}
        return {**ours, **own_types}


_MODELS: Mapping[Layout, type[BaseModel]] = {
    Layout.EVENTS: EnrichedEvent,
    Layout.USERS: UserMetrics,
}


class SortBy(StrEnum):
    """In which order rows lie, within files and from one to the next."""

    DAY = "day"
    USER_ID = "user_id"
