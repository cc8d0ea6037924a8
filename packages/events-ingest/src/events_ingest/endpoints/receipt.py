"""What the collector adds to an event: its id, the time it was received, and its own time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import uuid_utils

from events_ingest.http.responses import FieldError
from events_ingest.limits import Window
from events_schema import PostedEvent

NO_SHIFT = timedelta(0)


class OutsideWindow(Exception):
    """Raised when an event's time lies too far back or ahead; `errors` say so of its field."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        text = f"Input should lie between {window.back} ago and {window.ahead} ahead of now"
        self.errors: list[FieldError] = [
            {"field": "event_time", "code": "event_time_window", "message": text}
        ]


def receive(
    event: PostedEvent, window: Window, received_time: datetime, shift: timedelta = NO_SHIFT
) -> dict[str, Any]:
    """Return the members of the envelope for `event`: its id and its time filled in.

    A time that the client gave is moved by `shift` first: by what its clock is behind. Raises
    `OutsideWindow`.
    """
    members = event.__dict__
    event_time = members["event_time"]
    if event_time is None:
        event_time = received_time
    else:
        try:
            event_time += shift
        except OverflowError:
            raise OutsideWindow(window) from None
        if not received_time - window.back <= event_time <= received_time + window.ahead:
            raise OutsideWindow(window)
    return {
        **members,
        "event_id": members["event_id"] or str(uuid_utils.uuid7()),
        "received_time": received_time,
        "event_time": event_time,
    }
