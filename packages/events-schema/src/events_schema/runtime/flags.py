"""What several commands read from flags: days, durations, lists, secrets."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from events_schema.runtime.errors import UsageError

_DURATION = re.compile(r"([1-9][0-9]{0,4}) (second|minute|hour|day)s?", re.ASCII)


def _read_day(text: object) -> date:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise PydanticCustomError(
            "day", "{text} is no day; give YYYY-MM-DD", {"text": repr(text)}
        ) from None


def _read_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value))
    if not match:
        raise PydanticCustomError(
            "duration",
            "{text} is no duration; give a number and seconds, minutes, hours or days: '3 hours'",
            {"text": repr(value)},
        )
    return timedelta(**{f"{match[2]}s": int(match[1])})


Day = Annotated[date, BeforeValidator(_read_day)]
"""A UTC day, `YYYY-MM-DD`."""

Duration = Annotated[timedelta, BeforeValidator(_read_duration)]
"""Such as `90 minutes`, `3 hours` or `30 days`."""


def split_commas(value: object) -> object:
    """Split a text at its commas, for a flag that may also be given several times.

    Use as `Annotated[tuple[...], NoDecode, BeforeValidator(split_commas)]`.
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
        raise UsageError(f"{flag}: {path} holds no key; write one in each line")
    return keys
