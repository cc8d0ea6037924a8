"""The body of a batch is split into the texts of its events without parsing them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_ingest.endpoints.splitting import SplitBatch, split_batch
from events_ingest.http.content import NDJSON
from events_ingest.http.responses import ApiError

JSON = "application/json"


def any_json() -> st.SearchStrategy[Any]:
    """Any JSON value."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.text()
        | st.sampled_from('"\\')
    )
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
    )


def refused(body: bytes, media_type: str = JSON, max_events: int = 10) -> ApiError:
    """The error with which `body` is refused."""
    with pytest.raises(ApiError) as error:
        split_batch(body, media_type, max_events=max_events)
    return error.value


@given(st.lists(any_json(), max_size=10), st.sampled_from([None, 2]), st.booleans())
def test_every_form_holds_the_same_events(
    events: list[Any], indent: int | None, ascii_only: bool
) -> None:
    """An array, an object around it and lines give the same events in the same order."""
    array = json.dumps(events, indent=indent, ensure_ascii=ascii_only)
    lines = "\n".join(json.dumps(event, ensure_ascii=ascii_only) for event in events)
    forms = [
        (array, JSON),
        (f' {{"events": {array}}} ', JSON),
        (f'{{"sent_at": "2026-01-31T12:00:00Z", "events":{array}}}', JSON),
        (lines, NDJSON),
    ]
    for text, media_type in forms:
        split = split_batch(text.encode(), media_type, max_events=10)

        assert [json.loads(event) for event in split.events] == events


def test_what_an_event_holds_is_not_looked_at() -> None:
    """An event keeps its bytes, including duplicate keys, spaces and long numbers."""
    events = [b'{"a": 1, "a":  2}', b"1e999999", b"9" * 5000, b"[ [] ]"]

    assert split_batch(b"[" + b" , ".join(events) + b"]", JSON, max_events=5).events == events


def test_a_lone_surrogate_leaves_the_other_events_whole() -> None:
    """A lone surrogate in one event does not prevent the other events from being split off."""
    split = split_batch(b'[1,{"app_name": "\\ud800"},2]', JSON, max_events=5)

    assert (len(split.events), split.events[0], split.events[2]) == (3, b"1", b"2")


@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [b"\\ud83d", b"\\uDE00", b"\\\\", b'\\"', b"\\u0000", b"ud83d", b"[", b"a", b", "]
            )
        ).map(lambda parts: b'"' + b"".join(parts) + b'"'),
        max_size=5,
    ),
    st.sampled_from([(b"[", b"]"), (b'{"sent_at":"2026-01-31T12:00:00Z", "events" : [ ', b" ]}")]),
)
def test_no_escape_costs_another_event(events: list[bytes], around: tuple[bytes, bytes]) -> None:
    """Surrogate pairs and lone surrogates beside other escapes leave every event unchanged."""
    body = around[0] + b" , ".join(events) + around[1]

    assert split_batch(body, JSON, max_events=5).events == events


@pytest.mark.parametrize(
    "body", [b'["\0\0", "\\ud800"]', b'["\\ud800", \0]', b'["\\ud800", 1', b'["\\ud800" 1]']
)
def test_a_lone_surrogate_makes_nothing_of_what_is_no_json(body: bytes) -> None:
    """A body with a lone surrogate must otherwise be valid JSON."""
    error = refused(body)

    assert (error.status, error.code) == (400, "malformed_json")


def test_a_name_is_not_repeated_at_length() -> None:
    """An answer does not repeat a long unknown name in full."""
    assert len(refused(b'{"' + b"x" * 1_000_000 + b'":1}').message) < 300


def test_empty_lines_are_no_events() -> None:
    """Lines may end in CRLF, and lines with only whitespace do not count."""
    split = split_batch(b"\r\n1\r\n\n  \n2\n\n", NDJSON, max_events=6)

    assert [event.strip() for event in split.events] == [b"1", b"2"]


def test_lines_need_not_be_json() -> None:
    """A line that is not JSON becomes an event and does not affect the others."""
    assert split_batch(b"{\n1", NDJSON, max_events=2).events == [b"{", b"1"]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (b'"2026-01-31T12:00:00+01:00"', datetime(2026, 1, 31, 11, tzinfo=UTC)),
        (b"null", None),
    ],
)
def test_the_wrapper_says_when_it_was_sent(text: bytes, time: datetime | None) -> None:
    """`sent_at` is read as a time, and null is the same as leaving it out."""
    body = b'{"events":[1],"sent_at":' + text + b"}"

    assert split_batch(body, JSON, max_events=1) == SplitBatch([b"1"], time)


@pytest.mark.parametrize("text", [b"1", b'""', b'"2026-01-31"', b"[]", b"1769860800.5"])
def test_a_wrong_sent_at_is_answered_422(text: bytes) -> None:
    """An invalid `sent_at` is refused with the name of the field."""
    error = refused(b'{"events":[1],"sent_at":' + text + b"}")

    assert (error.status, error.code) == (422, "invalid_batch")
    assert [each["field"] for each in error.fields] == ["sent_at"]


@pytest.mark.parametrize(
    "body", [b"{}", b'{"events":[],"more":1}', b'{"sent_at":null}', b'{"user_id":1}']
)
def test_another_object_is_answered_422(body: bytes) -> None:
    """An object without events, or with unknown members, is refused."""
    error = refused(body)

    assert (error.status, error.code) == (422, "invalid_batch")


@pytest.mark.parametrize(
    "body",
    [
        b'{"events":[1],"events":[2]}',
        b'{"events":[1],"events":[1]}',
        b'{"events":[],"sent_at":null,"sent_at":null}',
        b'{"events":["\\""],"sent_at":null,"events":["a"]}',
        b'{"events":[1],"\\u0065vents":[2]}',
    ],
)
def test_a_key_of_the_wrapper_must_not_stand_twice(body: bytes) -> None:
    """A duplicate key is refused, since it is unclear which value is meant."""
    error = refused(body)

    assert (error.status, error.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"x",
        b"1",
        b"null",
        b'"[]"',
        b"[1",
        b"[1,]",
        b"[1 2]",
        b"[]]",
        b"[] []",
        b"\xff",
        b"[\xff]",
        b"{",
        b'{"events":[1]}}',
        b'{"events":1}',
        b'{"events":null}',
        b'{"events":{}}',
        b'{"events":[1,]}',
        b"{'events':[]}",
        b'{"\xff":[]}',
        b"\xef\xbb\xbf[]",
    ],
)
def test_what_is_no_batch_is_answered_400(body: bytes) -> None:
    """A body that is not JSON, or has no array of events, is refused."""
    error = refused(body)

    assert (error.status, error.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"events":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"events":' * 100_000,
        b"[" + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]",
    ],
)
def test_deep_nesting_is_answered_400(body: bytes) -> None:
    """Nesting of any depth is the client's error, not an internal error."""
    error = refused(body)

    assert (error.status, error.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    ("before", "between", "after", "media_type"),
    [
        (b"[", b",", b"]", JSON),
        (b'{"events":[', b",", b"]}", JSON),
        (b"", b"\n", b"\n", NDJSON),
        (b"", b"\r\n", b"", NDJSON),
    ],
)
def test_the_limit_is_the_most_that_is_taken(
    before: bytes, between: bytes, after: bytes, media_type: str
) -> None:
    """A batch with as many events as the limit passes; one more event is answered 413."""
    enough = before + between.join([b"{}"] * 10) + after
    one_more = before + between.join([b"{}"] * 11) + after

    assert len(split_batch(enough, media_type, max_events=10).events) == 10
    error = refused(one_more, media_type)
    assert (error.status, error.code) == (413, "too_many_events")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"[" + b"[[]]," * 1_000_000 + b"1]", JSON),
        (b"[" + b"[[]]," * 1_000_000, JSON),
        (b'{"events":[' + b"[[]]," * 1_000_000 + b"1]}", JSON),
        (b"1\n" * 1_000_000, NDJSON),
    ],
)
def test_a_flood_of_events_is_answered_413(body: bytes, media_type: str) -> None:
    """A million events are refused, however the body ends."""
    error = refused(body, media_type, 2000)

    assert (error.status, error.code) == (413, "too_many_events")
