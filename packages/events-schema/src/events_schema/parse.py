"""JSON as clients send it, read without guessing."""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import Any, NoReturn

from pydantic import ValidationError

from events_schema.columns import ColumnType, columns
from events_schema.errors import MalformedJson
from events_schema.event import MAX_TEXT_LENGTH, PostedEvent

MAX_DEPTH = 32
MAX_BRACKETS = 3 * MAX_TEXT_LENGTH + MAX_DEPTH
"""So many brackets may stand in a body: an event has them in its texts alone."""
MAX_PLAIN_BYTES = 4096
"""Longer than any event without escapes and padding; of what is longer little may be valid."""
MAX_UNKNOWN_FIELDS = 20
"""So many unknown fields of an event are named: an event may have thousands."""
_STRINGS_AND_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def parse_event(body: bytes) -> PostedEvent:
    """Read one posted event from the JSON in `body`.

    Raises `MalformedJson` where `body` is not one JSON object (RFC 8259 in UTF-8, no key
    twice, at most 32 levels deep), and pydantic's `ValidationError`, which names each field,
    where it is one but not an event; of unknown fields it names a few. Memory and time are a
    small multiple of `body`.
    """
    event = _parse_plain(body)
    if event is not None:
        return event
    members = parse_object(body)
    unknown = [name for name in members if name not in PostedEvent.model_fields]
    for name in unknown[MAX_UNKNOWN_FIELDS:]:
        del members[name]
    return PostedEvent.model_validate(members)


def _parse_plain(body: bytes) -> PostedEvent | None:
    """Return the event in `body` where it is valid beyond doubt: the common case, and fast.

    pydantic's JSON parser takes a key that stands twice. Without escapes each key and each text
    has two quotes, so that one more key shows in their number.
    """
    if len(body) > MAX_PLAIN_BYTES or b"\\" in body:
        return None
    try:
        event = _VALIDATE_JSON(body)
    except ValidationError:
        return None
    texts = len(_TEXT_FIELDS) - _TEXTS(event.__dict__).count(None)
    quotes = 2 * (len(event.model_fields_set) + texts)
    return event if body.count(b'"') == quotes else None


_VALIDATE_JSON = PostedEvent.__pydantic_validator__.validate_json
_TEXT_FIELDS = tuple(
    column.name
    for column in columns(PostedEvent)
    if column.type in (ColumnType.STRING, ColumnType.TIMESTAMP)
)
_TEXTS = itemgetter(*_TEXT_FIELDS)


def parse_object(body: bytes) -> dict[str, Any]:
    """Read one JSON object from `body`; raises `MalformedJson` otherwise."""
    _check_depth(body)
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedJson(f"the body is not UTF-8 (byte {error.start}); send JSON") from None
    except ValueError as error:  # JSONDecodeError, or an integer of thousands of digits
        raise MalformedJson(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise MalformedJson(f"the body is a JSON {_NAMES[type(value)]}, expected an object")
    return value


_NAMES = {
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedJson(f"the key {twice!a:.80} stands twice in one object")
    for key in members:
        if not key.isascii() and any("\ud800" <= character <= "\udfff" for character in key):
            raise MalformedJson(f"the key {key!a:.80} holds a lone surrogate")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJson(f"the body is not JSON: {name} is no JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _check_depth(body: bytes) -> None:
    brackets = body.count(b"[") + body.count(b"{")
    if brackets <= MAX_DEPTH:
        return
    if brackets > MAX_BRACKETS:  # each costs a hundred times its length, and no event has so many
        raise MalformedJson(f"the body has more than {MAX_BRACKETS} brackets, as no event has")
    depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(body):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedJson(f"the body nests deeper than {MAX_DEPTH} levels")
        elif token in (b"]", b"}"):
            depth -= 1
