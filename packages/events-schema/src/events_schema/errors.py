"""The errors of this package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypedDict


class EventsError(Exception):
    """The root of every error that an events package raises on purpose: the one to catch.

    Its text is one line: what was wrong, what was expected and what to do. `retriable` says
    whether the same call may succeed later; `exit_code` is what a command ends with.
    """

    retriable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1


class SchemaError(EventsError):
    """The root of the errors that events-schema raises."""


class MalformedJson(SchemaError):
    """Raised when bytes are not one JSON object of unique keys and sane depth."""


class FieldError(TypedDict):
    """What is wrong with one field: its path, a code for programs and a text for people."""

    field: str
    code: str
    message: str


class InvalidEvent(SchemaError):
    """Raised when a JSON object is not an event of the contract; `errors` name the fields."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{each['field']}: {each['message']}" for each in errors))
        self.errors = list(errors)


class DecodeError(SchemaError):
    """Raised when bytes are not an event in Avro single-object encoding.

    `reason` is one of the reason codes in `events_schema.failed`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class ContractError(SchemaError):
    """Raised when a class cannot be a contract, or a contract cannot be loaded."""

    exit_code = 2


class ForeignFields(SchemaError):
    """Raised when an event has fields that the contract it is given to does not have."""


class ReleaseError(SchemaError):
    """Raised when released schemas are not as they were released, or a release is refused."""

    exit_code = 2


class NotReleased(ReleaseError):
    """Raised when a model is not the newest release of its contract."""


class NotAnEvolution(SchemaError):
    """Raised when a table was written with fields that the contract does not have, in order."""

    exit_code = 5
