"""The layout of a published table: what its rows are, and their order."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from events_schema import Contract, EnrichedEvent, UserMetrics, columns


class Layout(StrEnum):
    """What the rows of a published table are."""

    EVENTS = "events"
    """One row per event with its user's metrics: `EnrichedEvent` and a team's own columns."""
    USERS = "users"
    """One row per user with the metrics only: `UserMetrics`, to be joined with the raw table."""

    def own_types(self, contract: Contract[Any]) -> Mapping[str, str]:
        """Return the types of the rows' own columns by name, in order."""
        return contract.own_types if self is Layout.EVENTS else {}

    def column_types(self, own_types: Mapping[str, str]) -> Mapping[str, str]:
        """Return the types of all columns by name: the layout's, then the own ones, in order."""
        ours = {column.name: column.type.value for column in columns(_MODELS[self])}
        return {**ours, **own_types}


_MODELS: Mapping[Layout, type[BaseModel]] = {
    Layout.EVENTS: EnrichedEvent,
    Layout.USERS: UserMetrics,
}


class SortBy(StrEnum):
    """The order of the rows, within a file and from one file to the next."""

    DAY = "day"
    USER_ID = "user_id"
