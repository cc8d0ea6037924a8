"""The errors of this package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypedDict


class EventsError(Exception):
    """The base class of every error that an events package raises on purpose.

    Its text is one line: what was wrong, what was expected and what to do. `retriable` says
    whether the same call may succeed later; `exit_code` is the exit code of a command.
    """

    retriable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1


class SchemaError(EventsError):
    """The base class of the errors that events-schema raises."""


class MalformedJson(SchemaError):
    """Raised when bytes are not one JSON object with unique keys and limited nesting."""


class FieldError(TypedDict):
    """One invalid field: its path, an error code for programs and a message for people."""

    field: str
    code: str
    message: str


class InvalidEvent(SchemaError):
    """Raised when a JSON object is not a valid event; `errors` lists what is wrong by field."""

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
    """Raised when an event has fields that the receiving contract does not have."""


class ReleaseError(SchemaError):
    """Raised when a released schema was changed or deleted, or when a release is refused."""

    exit_code = 2


class NotReleased(ReleaseError):
    """Raised when a contract's model differs from its newest release."""


class NotAnEvolution(SchemaError):
    """Raised when a table has own fields that the contract lacks or orders differently."""

    exit_code = 5
