"""JSON as clients send it, read without guessing."""

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
"""So many unknown fields of an event are named: an event may have thousands."""
MAX_FIELDS = 20
"""Of so many fields an error tells."""
_MAX_FIELD_LENGTH = 100
_MAX_PLAIN_BYTES = 4096
"""Longer than any event of the six fields without escapes and padding."""
_MAX_OWN_BYTES = 5 * MAX_TEXT_LENGTH
"""Longer than an own field and its name."""
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
        # Of what is longer little may be valid.
        own = len(own_field_names(posted, PostedEvent))
        self.max_plain_bytes = _MAX_PLAIN_BYTES + own * _MAX_OWN_BYTES
        strings = sum(column.type is ColumnType.STRING for column in columns(posted)) - 1
        self.max_brackets = strings * MAX_TEXT_LENGTH + MAX_DEPTH
        """So many brackets may stand in a body: an event has them in its texts alone."""

    def parse(self, body: bytes) -> PostedT:
        """Read one posted event from the JSON in `body`.

        Raises `MalformedJson` where `body` is not one JSON object (RFC 8259 in UTF-8, no key
        twice, at most 32 levels deep), and `InvalidEvent`, which names each field, where it is
        one but not an event; of unknown fields it names a few. Memory and time are a small
        multiple of `body`.
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
        """Return the event in `body` where it is valid beyond doubt: the common case, and fast.

        pydantic's JSON parser takes a key that stands twice. Without escapes each key and each
        text has two quotes, so that one more key shows in their number.
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
    """Return what `error` says about the first fields, without what the client sent."""
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
    """Read one JSON object from `body`; raises `MalformedJson` otherwise."""
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
        raise MalformedJson(f"the key {twice!a:.80} stands twice in one object")
    for key in members:
        if not key.isascii() and any("\ud800" <= character <= "\udfff" for character in key):
            raise MalformedJson(f"the key {key!a:.80} holds a lone surrogate")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJson(f"the body is not JSON: {name} is no JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _check_depth(body: bytes, max_brackets: int) -> None:
    brackets = body.count(b"[") + body.count(b"{")
    if brackets <= MAX_DEPTH:
        return
    if brackets > max_brackets:  # each costs a hundred times its length, and no event has so many
        raise MalformedJson(f"the body has more than {max_brackets} brackets, as no event has")
    depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(body):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedJson(f"the body nests deeper than {MAX_DEPTH} levels")
        elif token in (b"]", b"}"):
            depth -= 1
