"""What a request may be: how long, and how old its events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class BodyLimits:
    """What a body may be: bytes as sent, bytes decompressed, and seconds to arrive in."""

    sent: int
    decompressed: int
    seconds: float


@dataclass(frozen=True)
class EventTimeWindow:
    """How far from now an event's time may lie."""

    back: timedelta
    ahead: timedelta
