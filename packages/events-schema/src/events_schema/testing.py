"""Hypothesis strategies for events: valid ones, invalid ones, and histories of many."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from events_schema.enrichment import WINDOW
from events_schema.event import (
    EARLIEST_TIME,
    LATEST_TIME,
    MAX_TEXT_LENGTH,
    EventEnvelope,
    StoredEvent,
)

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
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

REQUIRED_FIELDS = ("user_id", "app_name", "event_category")


def int32s() -> st.SearchStrategy[int]:
    """Integers of 32 bits, the bounds often among them."""
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


def event_envelopes() -> st.SearchStrategy[EventEnvelope]:
    """Any record that the contract accepts, over the whole range of every field."""
    return st.builds(
        EventEnvelope,
        event_id=event_ids(),
        received_time=times(),
        event_time=times(),
        user_id=int32s(),
        app_name=texts(),
        event_action=st.none() | texts(),
        event_category=texts(),
        event_value=st.none() | int32s(),
    )


@st.composite
def posted_events(
    draw: st.DrawFn, event_times: st.SearchStrategy[datetime] | None = None
) -> dict[str, Any]:
    """A valid event as a client posts it: the members of a JSON object.

    Optional members are absent, null or there; `event_time`, where there, is drawn from
    `event_times` (default: up to an hour ago) and written in some zone.
    """
    now = datetime.now(UTC)
    body: dict[str, Any] = {
        "user_id": draw(int32s()),
        "app_name": draw(texts()),
        "event_category": draw(texts()),
    }
    optional: dict[str, st.SearchStrategy[Any]] = {
        "event_action": st.none() | texts(),
        "event_value": st.none() | int32s(),
        "event_time": st.none()
        | rfc3339(times(now - timedelta(hours=1), now) if event_times is None else event_times),
        "event_id": st.none() | event_ids(),
    }
    for field in draw(st.lists(st.sampled_from(list(optional)), unique=True)):
        body[field] = draw(optional[field])
    return body


@st.composite
def rfc3339(draw: st.DrawFn, instants: st.SearchStrategy[datetime]) -> str:
    """The text of a time, in UTC as `Z` or with the offset of some zone."""
    instant = draw(instants)
    offset = draw(st.sampled_from([None, 0, 60, -210, 825]))
    if offset is None:
        return instant.isoformat().replace("+00:00", "Z")
    if not EARLIEST_TIME + timedelta(days=1) < instant < LATEST_TIME - timedelta(days=1):
        offset = 0
    return instant.astimezone(timezone(timedelta(minutes=offset))).isoformat()


def _invalid_values() -> dict[str, st.SearchStrategy[Any]]:
    wrong_texts: st.SearchStrategy[Any] = (
        st.sampled_from(
            ["", "x" * (MAX_TEXT_LENGTH + 1), "a\0b", "\ud800", "a\udfffb", True, 3, 1.5]
        )
        | st.just([])
        | st.just({})
    )
    wrong_int32s: st.SearchStrategy[Any] = st.sampled_from(
        ["3", "", 3.0, 1e300, True, False, INT32_MAX + 1, INT32_MIN - 1, 2**63, 2**64]
    ) | st.just([1])
    required = st.none()
    return {
        "user_id": wrong_int32s | required,
        "event_value": wrong_int32s,
        "app_name": wrong_texts | required,
        "event_category": wrong_texts | required,
        "event_action": wrong_texts,
        "event_time": st.sampled_from(INVALID_TIMES),
        "event_id": st.sampled_from(INVALID_EVENT_IDS),
        "unknown": st.none() | st.just(1),
        "event_ID": event_ids(),
    }


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
"""Values that are no `event_time`, whatever the window."""

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
"""Values that are no `event_id`, most of which a UUID parser takes."""


@st.composite
def invalid_posted_events(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """The members of a JSON object that is an event but for one field, and that field's name."""
    body = draw(posted_events())
    invalid = _invalid_values()
    field = draw(st.sampled_from(sorted(invalid)))
    if field in REQUIRED_FIELDS and draw(st.booleans()):
        del body[field]
    else:
        body[field] = draw(invalid[field])
    return body, field


@st.composite
def histories(
    draw: st.DrawFn,
    processing_time: datetime,
    *,
    min_size: int = 1,
    max_size: int = 60,
    past: timedelta = timedelta(days=5),
    future: timedelta = timedelta(minutes=4),
) -> list[EventEnvelope]:
    """Records of few users and few actions around `processing_time`, `T`.

    Among their times are the exact edges of the metric's window (`T - 3 h`, `T`, and a
    microsecond to either side); actions tie often; some `event_id`s come again with an
    identical body. All are received at `T`.
    """
    edges = [processing_time - WINDOW, processing_time]
    near = [edge + step * MICROSECOND for edge in edges for step in (-1, 0, 1)]
    users = draw(st.lists(int32s(), min_size=1, max_size=4, unique=True))
    actions = draw(st.lists(texts(), min_size=1, max_size=3, unique=True))
    records = draw(
        st.lists(
            st.builds(
                EventEnvelope,
                event_id=event_ids(),
                received_time=st.just(processing_time),
                event_time=st.sampled_from(near)
                | times(processing_time - past, processing_time + future),
                user_id=st.sampled_from(users),
                app_name=texts(),
                event_action=st.none() | st.sampled_from(actions),
                event_category=texts(),
                event_value=st.none() | int32s(),
            ),
            min_size=min_size,
            max_size=max_size,
            unique_by=lambda record: UUID(record.event_id),
        )
    )
    again = draw(st.lists(st.sampled_from(records), max_size=10))
    return draw(st.permutations(records + again))


def raw_tables(processing_time: datetime) -> st.SearchStrategy[list[StoredEvent]]:
    """Rows as another writer may have left them: a history in which any column may be null."""
    return histories(processing_time).flatmap(
        lambda records: st.lists(
            st.sets(st.sampled_from(sorted(StoredEvent.model_fields)), max_size=2),
            min_size=len(records),
            max_size=len(records),
        ).map(
            lambda gaps: [
                StoredEvent.from_envelope(record).model_copy(update=dict.fromkeys(missing))
                for record, missing in zip(records, gaps, strict=True)
            ]
        )
    )


@st.composite
def repetitive_tables(draw: st.DrawFn, processing_time: datetime) -> list[StoredEvent]:
    """Rows as `raw_tables` draws them, but of a few products and categories only."""
    names = st.sampled_from(draw(st.lists(texts(), min_size=1, max_size=5, unique=True)))
    return [
        row.model_copy(
            update={
                name: draw(names)
                for name in ("app_name", "event_category")
                if getattr(row, name) is not None
            }
        )
        for row in draw(raw_tables(processing_time))
    ]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """What clients may post: events, good, nearly good and damaged; batches of them; any bytes."""
    kind = draw(st.sampled_from(["one", "one", "batch", "json", "bytes"]))
    if kind == "bytes":
        return draw(st.binary(max_size=300))
    if kind == "json":
        return json.dumps(draw(_any_json())).encode()
    if kind == "one":
        return draw(almost_events())
    start, between, end = draw(st.sampled_from(_BATCH_FORMS))
    batch = start + between.join(draw(st.lists(almost_events(), max_size=6))) + end
    return draw(st.just(batch) | damaged(batch))


_BATCH_FORMS = (
    (b"[", b",", b"]"),
    (b'{"events":[', b", ", b"]}"),
    (b'{"sent_at":"2026-01-31T12:00:00Z","events":[', b",", b"]}"),
    (b"", b"\n", b"\n"),
)
"""What stands before, between and after the events of an array, an object, and lines."""


@st.composite
def almost_events(draw: st.DrawFn) -> bytes:
    """The JSON of an event: valid, wrong in one field, or with some bytes damaged."""
    event = draw(posted_events() | invalid_posted_events().map(lambda case: case[0]))
    text = json.dumps(event, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return draw(st.just(text) | st.just(text) | damaged(text))


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` with some bytes replaced, cut out or put in."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 4)))
        body = body[:start] + draw(st.binary(max_size=4)) + body[end:]
    return body


def _any_json() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
