"""JSON as clients send it, read without guessing."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from events_schema.errors import MalformedJson
from events_schema.event import PostedEvent

MAX_DEPTH = 32
_STRINGS_AND_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def parse_event(body: bytes) -> PostedEvent:
    """Read one posted event from the JSON in `body`.

    Raises `MalformedJson` where `body` is not one JSON object (RFC 8259 in UTF-8, no key
    twice, at most 32 levels deep), and pydantic's `ValidationError`, which names each field,
    where it is one but not an event. Memory is a small multiple of `body`.
    """
    return PostedEvent.model_validate(parse_object(body))


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
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(body):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedJson(f"the body nests deeper than {MAX_DEPTH} levels")
        elif token in (b"]", b"}"):
            depth -= 1
