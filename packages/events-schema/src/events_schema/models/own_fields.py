"""The rules for a team's own fields, checked when the class is defined.

They make sure that every engine can store a field and reads the same values: anything else is
refused before an event is sent.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Any, ForwardRef, Generic

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from events_schema.column import ColumnType, union_members
from events_schema.errors import ContractError
from events_schema.models.reserved import RESERVED, SQL_WORDS
from events_schema.models.types import OWN_TYPES, TYPE_NAMES

MAX_OWN_FIELDS = 100
MAX_NAME_LENGTH = 64
_LONGEST = 200
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_EXPECTED = f"{', '.join(list(OWN_TYPES)[:-1])} or {list(OWN_TYPES)[-1]}"
_HOOKS = frozenset(
    {
        "__init__",
        "__new__",
        "__init_subclass__",
        "__pydantic_init_subclass__",
        "__get_pydantic_core_schema__",
        "__get_pydantic_json_schema__",
        "__getattribute__",
        "__setattr__",
    }
)
_PLAIN_ATTRIBUTES = frozenset({"annotation", "default", "description", "title", "examples"})
"""The arguments that an own field may have: none of them changes which values are valid."""


def own_field_names(event: type[BaseModel], base: type[BaseModel]) -> list[str]:
    """Return the names of the fields that `event` adds to `base`, in order."""
    return [name for name in event.model_fields if name not in base.model_fields]


def check_own_fields(event: type[BaseModel], base: type[BaseModel]) -> None:
    """Check that `event` only adds valid columns to `base`, the contract's event.

    Raises `ContractError`, whose one line says what to do.
    """
    for wrong in _defects(event, base):
        raise ContractError(f"{event.__name__}: {wrong}")


def _defects(event: type[BaseModel], base: type[BaseModel]) -> Iterator[str]:
    """Yield what is wrong with `event`; only the first message is certain to be right."""
    yield from _class_defects(event, base)
    own = own_field_names(event, base)
    if len(own) > MAX_OWN_FIELDS:
        yield f"it has {len(own)} own fields; at most {MAX_OWN_FIELDS} are allowed, leave some out"
    for name in own:
        yield from name_defects(name, base)
        yield from _field_defects(name, event.model_fields[name])


def _class_defects(event: type[BaseModel], base: type[BaseModel]) -> Iterator[str]:
    if event.model_config != base.model_config:
        yield "model_config cannot be changed; leave it out"
    if event.__private_attributes__:
        name = next(iter(event.__private_attributes__))
        yield f"attribute {name!r} would not be stored; leave it out, or drop the leading _"
    found = event.__pydantic_decorators__
    decorated = any(getattr(found, kind.name) for kind in fields(found))
    if decorated or event.__pydantic_post_init__:
        yield (
            "validators, serializers and computed fields would apply only in Python, not in the "
            "stream; check values before you make an event"
        )
    for each in event.__mro__:
        if each in base.__mro__ or each is Generic:
            continue
        annotated = inspect.get_annotations(each)
        if not issubclass(each, base) and (annotated or issubclass(each, BaseModel)):
            yield f"{each.__name__} also has fields; move them into the class itself"
        elif each is not event and "event_id" in getattr(each, "model_fields", ()):
            yield f"{each.__name__} is derived from an event class; extend {base.__name__} instead"
        yield from _member_defects(each, base)
    for name, field in base.model_fields.items():
        own = event.model_fields.get(name)
        if own is None or _rules(own) != _rules(field):
            yield f"field {name!r} belongs to the contract; leave it unchanged"


def _rules(field: FieldInfo) -> tuple[Any, ...]:
    return field.annotation, field.default, field.default_factory, field.metadata


def _member_defects(each: type, base: type[BaseModel]) -> Iterator[str]:
    """Yield what a class between `event` and `base` must not define, as a field or otherwise."""
    for name in (*inspect.get_annotations(each), *vars(each)):
        if name in base.model_fields:
            yield f"field {name!r} belongs to the contract; choose another name"
        if name in RESERVED or (name in vars(each) and _is_pydantics(name, base)):
            yield f"{name!r} has a reserved name; choose another name"
        if name in _HOOKS:
            yield f"{name} would change which values are valid, but only in Python; leave it out"


def _is_pydantics(name: str, base: type[BaseModel]) -> bool:
    """Return whether a method or property of this name would override one of pydantic's."""
    return hasattr(base, name) and not name.startswith("_") and name != "model_config"


def name_defects(name: str, base: type[BaseModel]) -> Iterator[str]:
    """Yield why `name` cannot be an own field of a subclass of `base`."""
    if not _SNAKE_CASE.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        yield (
            f"field {name!r} is not a valid column name; use at most {MAX_NAME_LENGTH} lower-case "
            f"ASCII letters and digits, words joined by single _, such as {_snake_case(name)}"
        )
    if name in RESERVED or hasattr(base, name) or name.startswith("model_"):
        yield f"field {name!r} has a reserved name; choose another name"
    if name in SQL_WORDS:
        yield (
            f"field {name!r} is a reserved word in SQL, which every query would have to quote; "
            f"choose another name"
        )


def _snake_case(name: str) -> str:
    words = re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)
    text = "_".join(words).lower()[:MAX_NAME_LENGTH].strip("_")
    return text if _SNAKE_CASE.fullmatch(text) else "plan_name"


def _field_defects(name: str, field: FieldInfo) -> Iterator[str]:
    members = union_members(field.annotation)
    if any(isinstance(each, ForwardRef) for each in members):
        yield (
            f"field {name!r} has an annotation that cannot be resolved; import its type at run "
            f"time, not only under TYPE_CHECKING"
        )
    types = [each for each in members if each is not NoneType]
    known = [label for label, each in OWN_TYPES.items() if types == [each]]
    markers = [*field.metadata, *_metadata(types)] if len(types) == 1 else []
    marked = [TYPE_NAMES[each] for each in markers if isinstance(each, ColumnType)]
    right = f"{name}: {(known or marked or [_suggested(types)])[0]} | None = None"
    if not known and not marked:
        yield (
            f"field {name!r} does not have a column type; use {_EXPECTED} from events_schema: "
            f"{right}"
        )
    if NoneType not in members or field.is_required():
        yield f"field {name!r} is required, but events from older senders lack it; write {right}"
    if field.default is not None or field.default_factory is not None:
        yield f"field {name!r} has a default that is not None; write {right}"
    extras = field.metadata or field._attributes_set.keys() - _PLAIN_ATTRIBUTES  # noqa: SLF001
    if extras or not known:
        more = extras or set(markers) - set(_metadata([OWN_TYPES[marked[0]]]))
        yield (
            f"field {name!r} has rules besides its type ({_listed(more)}); add only a "
            f"description, since the stream and the engines know only the type: {right}"
        )

    said = {key: getattr(field, key) for key in ("description", "title", "examples")}
    try:
        json.dumps(said, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError):
        yield f"field {name!r} has a description, title or examples that are not valid JSON; fix it"


def _metadata(types: list[Any]) -> list[Any]:
    return [each for type_ in types for each in getattr(type_, "__metadata__", ())]


def _suggested(types: list[Any]) -> str:
    """Return the column type that was probably meant."""
    meant = {bool: "Bool", float: "Float64", Decimal: "Float64", int: "Int64", datetime: "Time"}
    return next((meant[each] for each in types if each in meant), "Text")


def _listed(extras: Any) -> str:
    return ", ".join(sorted(str(each) for each in extras))[:_LONGEST]
