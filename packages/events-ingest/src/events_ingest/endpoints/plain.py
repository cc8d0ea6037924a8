"""A reader of plain events that takes about half of pydantic's time.

Clients usually send valid JSON without escapes, nulls or duplicate keys. msgspec reads it into a
structure derived from the contract's columns. Everything else is left to the contract's parser,
which reports what is wrong; a test checks that the two agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from events_schema import Column, ColumnType, Contract, columns
from events_schema.models.types import EVENT_ID_PATTERN, MAX_TEXT_LENGTH, parse_time

_REMEMBERED_TIMES = 1024
"""Times in own fields often belong to a user or a product, so they repeat."""

_TYPES: Mapping[ColumnType, Any] = {
    ColumnType.BOOL: bool,
    ColumnType.FLOAT64: float,
    ColumnType.INT32: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    ColumnType.INT64: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    ColumnType.STRING: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_LENGTH)],
    ColumnType.TIMESTAMP: str,
}
_EVENT_ID_MATCH = re.compile(EVENT_ID_PATTERN).fullmatch
_EVENT_ID, _EVENT_TIME = 0, 1
"""The positions of these two in the values."""


class PlainReader:
    """Reads those events of `contract` that are certainly valid."""

    def __init__(self, contract: Contract[Any]) -> None:
        required = [
            name for name, field in contract.posted.model_fields.items() if field.is_required()
        ]
        posted = {column.name: column for column in columns(contract.posted)}
        ordered = [posted[each.name] for each in columns(contract.envelope) if each.name in posted]
        fields = [_field(column, required=column.name in required) for column in ordered]
        structure = msgspec.defstruct(
            "PostedEvent", fields, forbid_unknown_fields=True, kw_only=True, gc=False
        )
        self._decode = msgspec.json.Decoder(structure).decode
        self._parse_own_time = lru_cache(_REMEMBERED_TIMES)(parse_time)
        self._own_times = [
            place
            for place, column in enumerate(ordered)
            if column.type is ColumnType.TIMESTAMP and place != _EVENT_TIME
        ]
        quoted = [
            place
            for place, column in enumerate(ordered)
            if column.type in (ColumnType.STRING, ColumnType.TIMESTAMP)
        ]
        self._quoted = itemgetter(*quoted)
        self._fields_and_quoted = len(ordered) + len(quoted)

    def read(self, text: bytes) -> list[Any] | None:
        """Return the values of the event in `text`, in the order of the envelope's columns.

        `received_time` is left out, and values that the client did not send are None. Returns
        None for a text that is not certainly a valid event.
        """
        if b"\\" in text:
            return None
        try:
            values = msgspec.structs.astuple(self._decode(text))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        # Each key and each text has two quotes, so counting the quotes reveals an extra key.
        nulls = values.count(None) + self._quoted(values).count(None)
        if text.count(b'"') != 2 * (self._fields_and_quoted - nulls):
            return None
        event_id = values[_EVENT_ID]
        if event_id is not None and _EVENT_ID_MATCH(event_id) is None:
            return None
        read = list(values)
        try:
            if read[_EVENT_TIME] is not None:
                read[_EVENT_TIME] = parse_time(read[_EVENT_TIME])
            for place in self._own_times:
                if read[place] is not None:
                    read[place] = self._parse_own_time(read[place])
        except ValueError:
            return None
        return read


def _field(column: Column, *, required: bool) -> Any:
    if required:
        return column.name, _TYPES[column.type]
    return column.name, _TYPES[column.type], None  # an explicit null is left to the contract
