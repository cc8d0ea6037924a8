"""Splits the body of a batch request into its events, without parsing them.

A parsed body can take fifty times its length in memory. So each event is parsed only when it is
read, and splitting stops at the first event beyond the limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError

from events_ingest.http.content import NDJSON
from events_ingest.http.responses import ApiError, invalid_batch, malformed
from events_schema import Time
from events_schema.parse import field_errors

_TIME: TypeAdapter[datetime] = TypeAdapter(Time)


@dataclass(frozen=True)
class SplitBatch:
    """The events of a batch request, each as JSON text, and the time that the client sent them."""

    events: list[bytes]
    sent_at: datetime | None = None


class _Wrapped(msgspec.Struct, forbid_unknown_fields=True):
    """`{"events": [...], "sent_at": "..."}`."""

    events: msgspec.Raw
    sent_at: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_WRAPPED = msgspec.json.Decoder(_Wrapped)


def split_batch(body: bytes, media_type: str, *, max_events: int) -> SplitBatch:
    """Split `body`: NDJSON, a JSON array, or an object that contains one.

    Raises `ApiError`: 400 for other JSON or none, 413 for too many events, and 422 for an object
    with other members or an invalid `sent_at`.
    """
    if media_type == NDJSON:
        return SplitBatch(_split_lines(body, max_events))
    split = _split_object if body.lstrip(b" \t\r\n")[:1] == b"{" else _split_array
    try:
        return split(body, max_events)
    except ApiError as error:
        mended = _without_lone_surrogates(body)
        if error.status is not HTTPStatus.BAD_REQUEST or mended == body:
            raise
    found = split(mended, max_events)
    return SplitBatch(_same_places(found.events, mended, body), found.sent_at)


def _without_lone_surrogates(body: bytes) -> bytes:
    """Return `body` with each lone surrogate replaced by another escape of the same length.

    A text that was cut within an emoji has a lone surrogate, which JSON allows. msgspec refuses
    it, and would therefore refuse all events because of one.
    """
    if _NO_JSON in body:
        return body
    text = body.replace(_BACKSLASH, _NO_JSON * 2)  # then every backslash left begins an escape
    text = _LONE_LOW.sub(_OTHER, _LONE_HIGH.sub(_OTHER, text))
    return text.replace(_NO_JSON * 2, _BACKSLASH)


def _same_places(events: list[bytes], mended: bytes, body: bytes) -> list[bytes]:
    """Return the parts of `body` at the positions of `events` in `mended`, in order."""
    found: list[bytes] = []
    end = mended.find(b"[") + 1  # the array of events: no key or time before it has one
    for event in events:
        start = mended.find(event, end)
        end = start + len(event)
        found.append(body[start:end])
    return found


_BACKSLASH, _NO_JSON = rb"\\", b"\0"
_OTHER = rb"\\u0000"
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_HIGH = re.compile(_HIGH + b"(?!" + _LOW + b")")
_LONE_LOW = re.compile(b"(?<!" + _HIGH + b")" + _LOW)


def _split_lines(body: bytes, max_events: int) -> list[bytes]:
    lines = body.split(b"\n", max_events + 1)
    if len(lines) == max_events + 2 and lines[-1].strip():
        raise _too_many(max_events)
    return _at_most([line for line in lines if line.strip()], max_events)


def _split_object(body: bytes, max_events: int) -> SplitBatch:
    try:
        wrapped = _WRAPPED.decode(body)
    except msgspec.ValidationError as error:  # it names the missing or unexpected member
        said = f"{error!s:.200}"  # it may contain a very long name
        raise invalid_batch(f'expected {{"events": [...], "sent_at": "..."}}: {said}') from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"the body is not JSON: {error}") from None
    events = bytes(wrapped.events)
    sent_at = b"" if wrapped.sent_at is msgspec.UNSET else bytes(wrapped.sent_at)
    # A duplicate key adds two quotes outside the values.
    keys = 1 + (wrapped.sent_at is not msgspec.UNSET)
    if body.count(b'"') - events.count(b'"') - sent_at.count(b'"') != 2 * keys:
        raise malformed("the batch has a duplicate key; give each key once")
    return SplitBatch(_elements(events, max_events), _read_time(sent_at))


def _read_time(text: bytes) -> datetime | None:
    if text in (b"", b"null"):
        return None
    try:
        return _TIME.validate_json(text, strict=True)
    except ValidationError as error:
        fields = field_errors(error)
        for each in fields:
            each["field"] = "sent_at"
        raise invalid_batch("sent_at is not valid; see fields", fields) from None


def _split_array(body: bytes, max_events: int) -> SplitBatch:
    return SplitBatch(_elements(body, max_events))


def _elements(body: bytes, max_events: int) -> list[bytes]:
    try:
        elements = _array_decoder(max_events)(body)
    except msgspec.ValidationError as error:
        if "at most length" in str(error):
            raise _too_many(max_events) from None
        raise malformed("the batch is not a JSON array; send an array of events") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"the body is not JSON: {error}") from None
    return [bytes(each) for each in elements if each is not msgspec.UNSET]


@lru_cache
def _array_decoder(max_events: int) -> Callable[[bytes], tuple[Any, ...]]:
    """Return a function that splits an array, and stops at the first element beyond the limit.

    A msgspec decoder for `list` checks the length only at the end. A decoder for an array-like
    structure checks it at each element, so this uses one with `max_events` optional fields.
    """
    fields = [
        (f"event_{n}", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for n in range(max_events)
    ]
    record = msgspec.defstruct("Array", fields, array_like=True, forbid_unknown_fields=True)
    decode = msgspec.json.Decoder(record).decode
    return lambda body: msgspec.structs.astuple(decode(body))


def _at_most(events: list[bytes], max_events: int) -> list[bytes]:
    if len(events) > max_events:
        raise _too_many(max_events)
    return events


def _too_many(max_events: int) -> ApiError:
    return ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_many_events",
        f"the batch has more than {max_events} events; send fewer at a time",
    )
