"""The types of flags that several commands take: days and durations."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

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
