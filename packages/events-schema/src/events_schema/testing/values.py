"""Strategies for values of each column type: the whole range, and often awkward values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from events_schema.column import ColumnType
from events_schema.models.types import EARLIEST_TIME, LATEST_TIME, MAX_TEXT_LENGTH

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MICROSECOND = timedelta(microseconds=1)

AWKWARD_TEXTS = (
    "a",
    "ß" * MAX_TEXT_LENGTH,
    "😀" * MAX_TEXT_LENGTH,
    "e\u0301\u0323",
    "👩‍👩‍👧‍👦",
    "\u202eright to left",
    "\ufeff",
    "\U0010ffff",
    "null",
    " ",
    "\t\n\r",
    "a/b=c%00",
    '"\\',
)
"""Texts that pipelines are known to damage."""

AWKWARD_FLOATS = (
    0.0,
    -0.0,
    0.1,
    1e16,
    5e-324,
    -2.2250738585072014e-308,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    9007199254740993.0,
)
"""Numbers that pipelines are known to damage."""


def int32s() -> st.SearchStrategy[int]:
    """32-bit integers, often the limits."""
    return st.sampled_from([INT32_MIN, -1, 0, 1, INT32_MAX]) | st.integers(INT32_MIN, INT32_MAX)


def texts() -> st.SearchStrategy[str]:
    """Texts of 1 to 256 characters: no NUL, no lone surrogate, often awkward."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    return st.sampled_from(AWKWARD_TEXTS) | st.text(characters, min_size=1, max_size=24)


def event_ids() -> st.SearchStrategy[str]:
    """UUIDs in canonical form."""
    return st.uuids().map(str)


def times(
    earliest: datetime = EARLIEST_TIME, latest: datetime = LATEST_TIME
) -> st.SearchStrategy[datetime]:
    """UTC times from `earliest` to `latest`, both included."""
    span = (latest - earliest) // MICROSECOND
    return st.integers(0, span).map(lambda offset: earliest + offset * MICROSECOND)


def int64s() -> st.SearchStrategy[int]:
    """64-bit integers, often the limits."""
    return st.sampled_from([INT64_MIN, -1, 0, 2**53 + 1, INT64_MAX]) | st.integers(
        INT64_MIN, INT64_MAX
    )


def float64s() -> st.SearchStrategy[float]:
    """Finite doubles, often awkward."""
    return st.sampled_from(AWKWARD_FLOATS) | st.floats(allow_nan=False, allow_infinity=False)


def values(column_type: ColumnType) -> st.SearchStrategy[Any]:
    """Any valid value of a column of this type, except null."""
    strategies: Mapping[ColumnType, st.SearchStrategy[Any]] = {
        ColumnType.BOOL: st.booleans(),
        ColumnType.FLOAT64: float64s(),
        ColumnType.INT32: int32s(),
        ColumnType.INT64: int64s(),
        ColumnType.STRING: texts(),
        ColumnType.TIMESTAMP: times(),
    }
    return strategies[column_type]


def json_values(column_type: ColumnType) -> st.SearchStrategy[Any]:
    """Like `values`, but as a client writes them in JSON: times are texts."""
    if column_type is ColumnType.TIMESTAMP:
        return rfc3339(times())
    return values(column_type)


@st.composite
def rfc3339(draw: st.DrawFn, instants: st.SearchStrategy[datetime]) -> str:
    """The text of a time, in UTC with `Z` or with the offset of a time zone."""
    instant = draw(instants)
    offset = draw(st.sampled_from([None, 0, 60, -210, 825]))
    if offset is None:
        return instant.isoformat().replace("+00:00", "Z")
    if not EARLIEST_TIME + timedelta(days=1) < instant < LATEST_TIME - timedelta(days=1):
        offset = 0
    return instant.astimezone(timezone(timedelta(minutes=offset))).isoformat()


INVALID_TIMES: Sequence[Any] = (
    1700000000,
    1700000000.5,
    "1700000000",
    "",
    "2026-01-31",
    "2026-01-31T12:00:00",
    "2026-01-31T12:00:00.1234567Z",
    "2026-01-31T12:00:00.Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T12:00:60Z",
    "2026-02-30T12:00:00Z",
    "2026-01-31T12:00:00+24:00",
    "2026-01-31T12:00:00Z\n",
    "2026-01-31T12:00Z",
    "20260131T120000Z",
    "\u0662026-01-31T12:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "1969-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-01:00",
    True,
    [],
)
"""Values that are not a valid `event_time`, whatever the window."""

INVALID_EVENT_IDS: Sequence[Any] = (
    "",
    "1",
    1,
    "urn:uuid:0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
    "{0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b}",
    "0190A1B2-C3D4-7E5F-8A9B-0C1D2E3F4A5B",
    "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b",
    "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\n",
    True,
    [],
)
"""Values that are not a valid `event_id`, though a UUID parser accepts most of them."""

_NO_TEXTS: Sequence[Any] = (
    "", "x" * (MAX_TEXT_LENGTH + 1), "a\0b", "\ud800", "a\udfffb", True, 3, 1.5, [], {}
)  # fmt: skip
_NO_INTEGERS: Sequence[Any] = ("3", "", 3.0, 1e300, True, False, 2**63, 2**64, -(2**63) - 1, [1])

INVALID_VALUES: Mapping[ColumnType, Sequence[Any]] = {
    ColumnType.BOOL: (0, 1, 1.0, "true", "", [], {}),
    ColumnType.FLOAT64: ("1.5", "", True, False, "NaN", 10**400, [], {}),
    ColumnType.INT32: (*_NO_INTEGERS, INT32_MAX + 1, INT32_MIN - 1),
    ColumnType.INT64: _NO_INTEGERS,
    ColumnType.STRING: _NO_TEXTS,
    ColumnType.TIMESTAMP: INVALID_TIMES,
}
"""JSON values that are not valid in a column of this type."""
