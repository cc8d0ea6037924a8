"""The limits on connections, requests and events."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from events_ingest.limits import EventTimeWindow
from events_schema.runtime.command import CommandSettings, Flag
from events_schema.runtime.flags import Bytes, Seconds, WholeSeconds

_FIFTY_YEARS = 50 * 365 * 86400
_KIB, _MIB = 1024, 1024 * 1024


class ConnectionSettings(CommandSettings):
    """How many processes serve, and what a connection may do."""

    flag_group: ClassVar[str | None] = "processes and connections"

    workers: int = Field(default=1, description="how many processes serve", ge=1, le=256)
    max_connections: int = Field(
        default=10_000, description="the most connections, over all workers", ge=1
    )
    max_header_bytes: Bytes = Field(
        default=32 * _KIB,
        description="the largest head (request line and headers) of a request",
        ge=_KIB,
        le=_MIB,
    )
    header_timeout: Seconds = Field(
        default=10,
        description="how long a connection may take to send its headers",
        ge=0.1,
        le=3600,
    )
    body_timeout: Seconds = Field(
        default=10, description="how long a request may take to send its body", ge=0.1, le=3600
    )
    keep_alive: Seconds = Field(
        default=75, description="how long a connection may be idle", ge=0.1, le=3600
    )

    def per_worker(self, limit: float) -> float:
        """Return a worker's share of a limit that all workers share."""
        return limit / self.workers


class EventSettings(CommandSettings):
    """What is accepted as an event, and how much at a time."""

    flag_group: ClassVar[str | None] = "limits on events"

    max_event_bytes: Bytes = Field(
        default=32 * _KIB, description="the largest event", ge=1, le=_MIB
    )
    max_batch_bytes: Bytes = Field(
        default=_MIB, description="the largest body of a batch, as sent", ge=1, le=64 * _MIB
    )
    max_decompressed_bytes: Bytes = Field(
        default=4 * _MIB,
        description="the largest body of a batch, decompressed",
        ge=1,
        le=256 * _MIB,
    )
    max_batch_events: int = Field(
        default=2000, description="the most events in a batch", ge=1, le=100_000
    )
    max_in_flight_bytes: Bytes = Field(
        default=64 * _MIB,
        description="how much may wait for Kafka, and arrive in bodies, per worker",
        ge=1024,
    )
    max_rate: Annotated[float | None, Flag(default="no limit")] = Field(
        default=None, description="requests per second for each key, over all workers", gt=0
    )
    max_public_rate: float = Field(
        default=1000,
        description="requests per second for each public key, over all workers",
        gt=0,
    )
    event_time_back: WholeSeconds = Field(
        default=7 * 86400, description="how old an event may be", ge=0, le=_FIFTY_YEARS
    )
    event_time_ahead: WholeSeconds = Field(
        default=300,
        description="how far in the future an event may lie",
        ge=0,
        le=_FIFTY_YEARS,
    )

    @property
    def window(self) -> EventTimeWindow:
        """How far from now an `event_time` may lie."""
        return EventTimeWindow(
            timedelta(seconds=self.event_time_back), timedelta(seconds=self.event_time_ahead)
        )
