"""What a run publishes."""

from __future__ import annotations

from enum import StrEnum


class Layout(StrEnum):
    """What the result's folder holds: whole rows, or one small row for each user."""

    EVENTS = "events"
    """Each raw row with its user's metrics: the columns of `EnrichedEvent`."""
    USERS = "users"
    """Each user's metrics, once: the columns of `UserMetrics`. A view joins them to the rows."""
