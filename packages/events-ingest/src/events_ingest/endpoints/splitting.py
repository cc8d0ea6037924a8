"""The body of a batch request, split into its events without reading any of them.

What parsing makes of a body can be fifty times its length, so no event is parsed before it is
its turn, and the number of events is bounded while they are counted.
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
    """The events of a batch request, each as JSON text, and when the client says it sent them."""

    events: list[bytes]
    sent_at: datetime | None = None


class _Wrapped(msgspec.Struct, forbid_unknown_fields=True):
    """`{"events": [...], "sent_at": "..."}`."""

    events: msgspec.Raw
    sent_at: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_WRAPPED = msgspec.json.Decoder(_Wrapped)


def split_batch(body: bytes, media_type: str, *, max_events: int) -> SplitBatch:
    """Split `body`: NDJSON, a JSON array, or an object that wraps one.

    Raises `ApiError`: 400 for what is no such JSON, 413 for too many events, 422 for an object
    of other members or a wrong `sent_at`.
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
    """Return `body`, as long as it was, with another escape in the place of each lone surrogate.

    What is left of a text that was cut within an emoji is still JSON. msgspec does not take it,
    and would refuse all events where one is wrong.
    """
    if _NO_JSON in body:
        return body
    text = body.replace(_BACKSLASH, _NO_JSON * 2)  # so that each backslash begins an escape
    text = _LONE_LOW.sub(_OTHER, _LONE_HIGH.sub(_OTHER, text))
    return text.replace(_NO_JSON * 2, _BACKSLASH)


def _same_places(events: list[bytes], mended: bytes, body: bytes) -> list[bytes]:
    """Return what stands in `body` where `events` stand in `mended`, one after another."""
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
    except msgspec.ValidationError as error:  # which names what is missing or not expected
        said = f"{error!s:.200}"  # it may repeat a name of any length
        raise invalid_batch(f'expected {{"events": [...], "sent_at": "..."}}: {said}') from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"the body is not JSON: {error}") from None
    events = bytes(wrapped.events)
    sent_at = b"" if wrapped.sent_at is msgspec.UNSET else bytes(wrapped.sent_at)
    # A key that stands twice adds its two quotes to those outside the values.
    keys = 1 + (wrapped.sent_at is not msgspec.UNSET)
    if body.count(b'"') - events.count(b'"') - sent_at.count(b'"') != 2 * keys:
        raise malformed("a key of the batch stands twice")
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
        raise invalid_batch("sent_at breaks the contract; see fields", fields) from None


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
    """Return a function that splits an array, and stops at the first element too many.

    A decoder of `list` counts only once it has them all; one of a record that is written as an
    array does so at once, so this is a record of `max_events` fields that may all be missing.
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
