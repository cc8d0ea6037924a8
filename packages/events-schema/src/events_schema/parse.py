"""The strict JSON parser for posted events."""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import Any, Generic, NoReturn, TypeVar

from pydantic import ValidationError

from events_schema.column import ColumnType, columns
from events_schema.errors import FieldError, InvalidEvent, MalformedJson
from events_schema.models.event import PostedEvent
from events_schema.models.own_fields import own_field_names
from events_schema.models.types import MAX_TEXT_LENGTH

MAX_DEPTH = 32
MAX_UNKNOWN_FIELDS = 20
"""At most this many unknown fields of an event are checked: an event may have thousands."""
MAX_FIELDS = 20
"""An error names at most this many fields."""
_MAX_FIELD_LENGTH = 100
_MAX_PLAIN_BYTES = 4096
"""Longer than any event of the six fields without escapes and whitespace."""
_MAX_OWN_BYTES = 5 * MAX_TEXT_LENGTH
"""Longer than any own field with its name."""
_STRINGS_AND_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)

PostedT = TypeVar("PostedT", bound=PostedEvent)


class EventParser(Generic[PostedT]):
    """Reads events of the model `posted` from JSON."""

    def __init__(self, posted: type[PostedT]) -> None:
        self._posted = posted
        self._validate_json = posted.__pydantic_validator__.validate_json
        text_fields = [
            column.name
            for column in columns(posted)
            if column.type in (ColumnType.STRING, ColumnType.TIMESTAMP)
        ]
        self._text_count = len(text_fields)
        self._texts = itemgetter(*text_fields)
        # Longer bodies are rarely valid, so they skip the fast path.
        own = len(own_field_names(posted, PostedEvent))
        self.max_plain_bytes = _MAX_PLAIN_BYTES + own * _MAX_OWN_BYTES
        strings = sum(column.type is ColumnType.STRING for column in columns(posted)) - 1
        self.max_brackets = strings * MAX_TEXT_LENGTH + MAX_DEPTH
        """The most brackets that a valid event can have: they occur only in its texts."""

    def parse(self, body: bytes) -> PostedT:
        """Read one posted event from the JSON in `body`.

        Raises `MalformedJson` if `body` is not one JSON object (RFC 8259 in UTF-8, no duplicate
        keys, at most 32 levels deep). Raises `InvalidEvent` if the object is not a valid event;
        the error names each invalid field, and the first unknown ones. Time and memory are a small
        multiple of the size of `body`.
        """
        event = self.parse_plain(body)
        if event is not None:
            return event
        members = parse_object(body, self.max_brackets)
        unknown = [name for name in members if name not in self._posted.model_fields]
        for name in unknown[MAX_UNKNOWN_FIELDS:]:
            del members[name]
        try:
            return self._posted.model_validate(members)
        except ValidationError as error:
            raise InvalidEvent(field_errors(error)) from None

    def parse_plain(self, body: bytes) -> PostedT | None:
        """Return the event in `body` if it is certainly valid, else None: the fast, common case.

        pydantic's JSON parser accepts duplicate keys. Without escapes, each key and each text has
        exactly two quotes, so counting the quotes reveals an extra key.
        """
        if len(body) > self.max_plain_bytes or b"\\" in body:
            return None
        try:
            event: PostedT = self._validate_json(body)
        except ValidationError:
            return None
        texts = self._text_count - self._texts(event.__dict__).count(None)
        quotes = 2 * (len(event.__pydantic_fields_set__) + texts)
        return event if body.count(b'"') == quotes else None


def field_errors(error: ValidationError, limit: int = MAX_FIELDS) -> list[FieldError]:
    """Return the first errors of `error`, at most `limit`, without the values that were sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {
            "field": ".".join(map(str, each["loc"]))[:_MAX_FIELD_LENGTH],
            "code": each["type"],
            "message": each["msg"],
        }
        for each in found[:limit]
    ]


def parse_object(body: bytes, max_brackets: int) -> dict[str, Any]:
    """Return the one JSON object in `body`. Raises `MalformedJson`."""
    _check_depth(body, max_brackets)
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
        raise MalformedJson(f"duplicate key {twice!a:.80} in one object; give each key once")
    for key in members:
        if not key.isascii() and any("\ud800" <= character <= "\udfff" for character in key):
            raise MalformedJson(f"the key {key!a:.80} has a lone surrogate")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJson(f"the body is not JSON: {name} is not a valid number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _check_depth(body: bytes, max_brackets: int) -> None:
    brackets = body.count(b"[") + body.count(b"{")
    if brackets <= MAX_DEPTH:
        return
    if brackets > max_brackets:  # parsing a bracket takes a hundred times its length in memory
        raise MalformedJson(
            f"the body has more than {max_brackets} brackets; a valid event has fewer"
        )
    depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(body):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedJson(f"the body is nested deeper than {MAX_DEPTH} levels")
        elif token in (b"]", b"}"):
            depth -= 1
