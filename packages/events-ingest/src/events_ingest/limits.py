"""The limits of a request: the size of its body and the age of its events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class BodyLimits:
    """The limits of a body: bytes as sent, bytes decompressed, and seconds until it has arrived."""

    sent: int
    decompressed: int
    seconds: float


@dataclass(frozen=True)
class EventTimeWindow:
    """How far back and ahead of now an event's time may be."""

    back: timedelta
    ahead: timedelta
