"""The options of a command, derived from its settings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from events_schema.runtime.command.flag import Flag
from events_schema.runtime.command.settings import CommandSettings

_METAVARS: dict[Any, str] = {int: "N", float: "N", Path: "FILE", SecretStr: "SECRET", str: "TEXT"}
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True)
class Option:
    """One setting as its users see it: a flag, its environment variables, and what they mean."""

    field: str
    """The name of the field of the settings."""
    group: str | None
    """The title that `--help` lists it under; None for the command's first flags."""
    metavar: str | None
    """The placeholder of the value, such as `N` or `html|json`; None for a switch."""
    description: str
    default: str | None
    """What happens without the flag; None for a switch, or if nothing does."""
    variables: tuple[str, ...]
    """The environment variables, the first one that is set counts."""
    repeatable: bool = False
    """Whether the flag may be given several times."""
    between: str = ","
    """What separates the values of a repeatable flag in its variable."""
    secret: bool = False
    """Whether errors must not show its value."""
    positional: bool = False
    required: bool = False
    """Whether the command needs a value, from the flag or a variable."""

    @property
    def name(self) -> str:
        """The flag, such as `--ack-timeout`; the placeholder of an argument without a flag."""
        return self.metavar or "" if self.positional else f"--{self.field.replace('_', '-')}"


def prefix_of(program: str) -> str:
    """Return how the variables of `program` begin, such as `EVENTS_INGEST_`, without its verb."""
    return f"{program.split(maxsplit=1)[0].replace('-', '_').upper()}_"


def options_of(settings: type[CommandSettings], program: str) -> tuple[Option, ...]:
    """Return the options of `settings` in groups: the command's own, then each class's."""
    groups = dict(_groups(settings))
    prefix = prefix_of(program)
    options = [
        _option(field, info, groups[field], f"{prefix}{field.upper()}")
        for field, info in settings.model_fields.items()
    ]
    titles = list(dict.fromkeys(_title(each) for each in settings.__mro__))
    return tuple(sorted(options, key=lambda option: titles.index(option.group)))


def _title(settings: type) -> str | None:
    """Return the group of the fields that this very class declares."""
    return vars(settings).get("flag_group")


def _groups(settings: type[CommandSettings]) -> Iterator[tuple[str, str | None]]:
    for each in reversed(settings.__mro__):
        if issubclass(each, CommandSettings):
            for field in inspect.get_annotations(each):
                yield field, _title(each)


def _option(field: str, info: FieldInfo, group: str | None, variable: str) -> Option:
    types = list(_types(info.annotation))
    flags = [mark for mark in (*reversed(info.metadata), *types) if isinstance(mark, Flag)]
    positional = any(flag.positional for flag in flags)
    more = [flag.variable for flag in flags if flag.variable]
    return Option(
        field=field,
        group=group,
        metavar=next((flag.metavar for flag in flags if flag.metavar), None) or _metavar(types),
        description=info.description or "",
        default=next((flag.default for flag in flags if flag.default), None)
        or _default(info.default),
        variables=() if positional else (variable, *more),
        repeatable=any(get_origin(each) is tuple for each in types),
        between=next((flag.between for flag in flags if flag.between != ","), ","),
        secret=SecretStr in types,
        required=info.is_required(),
        positional=positional,
    )


def _types(annotation: Any) -> Iterator[Any]:
    """Yield the types of `X | None`, `tuple[X, ...]` and `Annotated[X, mark]`, and their marks."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        yield from _types(inner)
        yield from reversed(marks)  # the outermost annotation comes last, and counts first
    elif origin in (Union, UnionType):
        for each in get_args(annotation):
            yield from _types(each)
    elif origin is tuple:
        yield annotation
        yield from _types(get_args(annotation)[0])
    elif annotation is not NoneType:
        yield annotation


def _metavar(types: Sequence[Any]) -> str | None:
    for each in types:
        if get_origin(each) is Literal:
            return "|".join(map(str, get_args(each)))
        if inspect.isclass(each) and issubclass(each, Enum):
            return "|".join(str(member.value) for member in each)
        if each in _METAVARS:
            return _METAVARS[each]
    return None


def _default(value: Any) -> str | None:
    """Return what `--help` says of a default; None for one that turns nothing on."""
    if value is None or value is False or value == () or not isinstance(value, _SHOWN):
        return None
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
        return f"{seconds // size} {unit}{'s' if seconds != size else ''}"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value.value if isinstance(value, Enum) else value)


_SHOWN = (bool, int, float, str, timedelta, Enum, Path)
