"""The rows of the tables."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from events_schema.models.event import EventEnvelope, Model
from events_schema.models.types import Int32, Int64, StoredText, Time


class _EventRow(Model):
    event_time: Time | None
    user_id: Int32 | None
    app_name: StoredText | None
    event_action: StoredText | None
    event_category: StoredText | None
    event_value: Int32 | None


class StoredEvent(_EventRow):
    """A row of the raw table: the six columns, the receipt, then a team's own columns.

    Every column is nullable.
    """

    event_id: StoredText | None
    received_time: Time | None

    @classmethod
    def from_envelope(cls, envelope: EventEnvelope) -> Self:
        """Return the row that `envelope` becomes."""
        return cls.model_validate(dict(envelope))


class EnrichedEvent(_EventRow):
    """A row of the enriched table: the six columns, its user's metrics, a team's own columns.

    `Contract.enrich` defines the two metrics.
    """

    u_count: Int64 | None = Field(description="the number of the user's events in the last 3 hours")
    u_mp_ea: StoredText | None = Field(description="the user's most frequent action")


class UserMetrics(Model):
    """A row of the users table, which has one row for each non-null `user_id` of the raw table.

    The enriched table is the raw table left-joined with it on `user_id`.
    """

    user_id: Int32 | None
    u_count: Int64 | None
    u_mp_ea: StoredText | None
