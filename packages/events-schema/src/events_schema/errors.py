"""The errors of this package."""

from __future__ import annotations

from typing import ClassVar


class EventsError(Exception):
    """The root of every error that an events package raises on purpose.

    Its text is one line: what was wrong, what was expected and what to do. `retriable` says
    whether the same call may succeed later; `exit_code` is what a command ends with.
    """

    retriable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1


class SchemaError(EventsError):
    """The root of the errors that events-schema raises."""


class MalformedJson(SchemaError):
    """Raised when bytes are not one JSON object of unique keys and sane depth."""


class DecodeError(SchemaError):
    """Raised when bytes are not an event in Avro single-object encoding.

    `reason` is one of the reason codes in `events_schema.failed`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
