"""Types of settings that several commands share: days, durations, lists, secrets."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from events_schema.runtime.command.flag import Flag
from events_schema.runtime.errors import UsageError

_DURATION = re.compile(r"([1-9][0-9]{0,4}) (second|minute|hour|day)s?", re.ASCII)


def _read_day(text: object) -> date:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise PydanticCustomError(
            "day", "{text} is not a day; give YYYY-MM-DD", {"text": repr(text)}
        ) from None


def _read_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value))
    if not match:
        raise PydanticCustomError(
            "duration",
            "{text} is not a duration; give a number and a unit, such as '90 minutes' or '3 hours'",
            {"text": repr(value)},
        )
    return timedelta(**{f"{match[2]}s": int(match[1])})


Day = Annotated[date, BeforeValidator(_read_day), Flag("YYYY-MM-DD")]
"""A UTC day, `YYYY-MM-DD`."""

Duration = Annotated[timedelta, BeforeValidator(_read_duration), Flag("DURATION")]
"""A number and a unit: `90 minutes`, `3 hours` or `30 days`."""

Seconds = Annotated[float, Flag("SECONDS")]
WholeSeconds = Annotated[int, Flag("SECONDS")]
Bytes = Annotated[int, Flag("BYTES")]
Port = Annotated[int, Field(ge=0, lt=2**16), Flag("PORT")]
"""A TCP port; 0 takes a free one."""

Host = Annotated[str, Field(min_length=1), Flag("ADDRESS")]
"""An address of this machine to listen on."""

Folder = Annotated[str, Field(min_length=1), Flag("FOLDER")]


def matching(pattern: str, expected: str) -> AfterValidator:
    """Return a validator that refuses texts which do not match `pattern`, and says what would."""
    known = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if not known.fullmatch(text):
            raise PydanticCustomError(
                "pattern",
                "expected {expected}, not {text}",
                {"expected": expected, "text": repr(text)},
            )
        return text

    return AfterValidator(check)


def by_name(choices: type[Enum]) -> BeforeValidator:
    """Return a validator that also accepts the names of `choices`, as help pages once showed."""
    return BeforeValidator(
        lambda value: choices.__members__.get(value, value) if isinstance(value, str) else value
    )


def split_commas(value: object) -> object:
    """Split a text at its commas, for a flag that may also be given several times.

    Use as `Annotated[tuple[...], BeforeValidator(split_commas)]`.
    """
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def read_secret(flag: str, path: Path) -> str:
    """Return the one secret in the file `path`, which `flag` names. Raises `UsageError`."""
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{flag}: cannot read {path}: {reason}; give a file of one line") from None
    if not secret or "\n" in secret:
        raise UsageError(f"{flag}: {path} does not hold one line; give a file of one line")
    return secret


def read_lines(flag: str, path: Path) -> list[bytes]:
    """Return the keys in the file `path`, one in each line, which `flag` names.

    Raises `UsageError` for a file that cannot be read, or holds none.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(
            f"{flag}: cannot read {path}: {error.strerror}; give a file of keys"
        ) from None
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise UsageError(f"{flag}: {path} is empty; write one key per line")
    return keys
