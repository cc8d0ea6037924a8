"""Posted events: what the contract accepts and refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from events_schema import (
    ColumnType,
    Contract,
    Event,
    InvalidEvent,
    MalformedJson,
    PostedEvent,
    columns,
)
from events_schema.models.types import is_event_id
from events_schema.testing import (
    INVALID_EVENT_IDS,
    INVALID_TIMES,
    contracts,
    event_ids,
    invalid_posted_events,
    posted_events,
)

CONTRACT = Contract(Event)
any_contract = st.just(CONTRACT) | contracts()

VALID = {"user_id": 1, "app_name": "shop", "event_category": "page"}


def refused_fields(body: bytes, contract: Contract[Event] = CONTRACT) -> set[str]:
    """Return the fields that the error for `body` names."""
    with pytest.raises(InvalidEvent) as refusal:
        contract.parse_event(body)
    return {error["field"] for error in refusal.value.errors}


@given(st.data(), any_contract)
def test_a_valid_event_is_read_as_it_was_posted(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """Every member is unchanged; times are the same instant in UTC."""
    body = data.draw(posted_events(contract))
    event = contract.parse_event(json.dumps(body).encode())
    times = {each.name for each in columns(contract.posted) if each.type is ColumnType.TIMESTAMP}
    assert event.model_dump(exclude=times, exclude_unset=True) == {
        name: value for name, value in body.items() if name not in times
    }
    for name in times & body.keys():
        if body[name] is None:
            assert getattr(event, name) is None
        else:
            assert getattr(event, name) == datetime.fromisoformat(body[name])
            assert getattr(event, name).tzinfo is UTC


@given(st.data(), any_contract)
def test_an_invalid_event_is_refused_by_the_name_of_its_field(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """The error names exactly the invalid field."""
    body, field = data.draw(invalid_posted_events(contract))
    assert refused_fields(json.dumps(body).encode(), contract) == {field}


@pytest.mark.parametrize("field", ["app_name", "event_action", "event_category"])
@pytest.mark.parametrize("text", ["", "x" * 257, "a\0b", "\ud800", 3, True, [], {}])
def test_no_invalid_text_passes(field: str, text: object) -> None:
    """Empty texts, long ones, texts with NUL or a lone surrogate and other types are refused."""
    assert refused_fields(json.dumps({**VALID, field: text}).encode()) == {field}


@pytest.mark.parametrize("field", ["user_id", "event_value"])
@pytest.mark.parametrize("number", ["3", 3.0, True, 2**31, -(2**31) - 1, 2**64, [3], 1e300])
def test_no_invalid_integer_passes(field: str, number: object) -> None:
    """Numbers beyond 32 bits and values of other types are refused, never coerced."""
    assert refused_fields(json.dumps({**VALID, field: number}).encode()) == {field}


@pytest.mark.parametrize("field", ["user_id", "app_name", "event_category"])
def test_a_required_field_is_required(field: str) -> None:
    """A required field that is absent or null is refused."""
    without = {name: value for name, value in VALID.items() if name != field}
    assert refused_fields(json.dumps(without).encode()) == {field}
    assert refused_fields(json.dumps({**without, field: None}).encode()) == {field}


@pytest.mark.parametrize("event_id", INVALID_EVENT_IDS)
def test_no_other_form_of_event_id_passes(event_id: object) -> None:
    """An event id has one valid form, since copies of an event are found by its text."""
    assert refused_fields(json.dumps({**VALID, "event_id": event_id}).encode()) == {"event_id"}


@given(event_ids())
def test_an_event_id_is_told_from_other_texts(event_id: str) -> None:
    """Only a complete canonical id is accepted."""
    assert is_event_id(event_id)
    assert not any(map(is_event_id, [f"{event_id}\n", f" {event_id}", event_id[:-1]]))
    assert not any(is_event_id(text) for text in INVALID_EVENT_IDS if isinstance(text, str))


@pytest.mark.parametrize("time", INVALID_TIMES)
def test_no_invalid_time_passes(time: object) -> None:
    """Each known invalid form of a time is refused."""
    assert refused_fields(json.dumps({**VALID, "event_time": time}).encode()) == {"event_time"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"3",
        b"{} {}",
        b'{"user_id": NaN}',
        b'{"user_id": Infinity}',
        b'{"user_id": 1, "user_id": 1}',
        b'{"user_id": {"a": 1, "a": 2}}',
        b'{"\\ud800": 1}',
        b'\xff{"user_id": 1}',
        b'\xef\xbb\xbf{"user_id": 1}',
        '{"user_id": 1}'.encode("utf-16"),
        b'{"user_id": ' + b"[" * 1000 + b"]" * 1000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b'{"user_id": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    """Invalid JSON, duplicate keys and deep nesting are malformed, with one line each."""
    with pytest.raises(MalformedJson) as refusal:
        CONTRACT.parse_event(body)
    assert "\n" not in str(refusal.value)


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    """Brackets in a text do not count as nesting."""
    text = '[{"' * 80
    assert CONTRACT.parse_event(json.dumps({**VALID, "app_name": text}).encode()).app_name == text


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_an_event_or_refused(body: bytes) -> None:
    """Reading a body raises only the two documented errors."""
    try:
        event = CONTRACT.parse_event(body)
    except (MalformedJson, InvalidEvent):
        return
    assert isinstance(event, PostedEvent)


@given(st.data(), any_contract)
def test_the_json_schema_takes_valid_events(data: st.DataObject, contract: Contract[Event]) -> None:
    """The derived JSON Schema accepts every event that the model accepts."""
    jsonschema.validate(data.draw(posted_events(contract)), contract.json_schema())


@given(st.data(), any_contract)
def test_the_json_schema_refuses_what_it_can_say(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """The schema refuses what the model refuses, except what JSON Schema cannot express."""
    body, field = data.draw(invalid_posted_events(contract))
    value = body.get(field)
    times = {each.name for each in columns(contract.posted) if each.type is ColumnType.TIMESTAMP}
    beyond_it = (
        value in (3.0, 1e300)
        or field in times
        or value == 10**400
        or (isinstance(value, str) and ("\0" in value or value.endswith("\n") or not _utf8(value)))
    )
    valid = jsonschema.Draft202012Validator(contract.json_schema()).is_valid(body)
    assert beyond_it or not valid


def _utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def test_python_callers_may_pass_aware_datetimes() -> None:
    """A datetime with a time zone becomes the same instant in UTC."""
    local = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    event = Event(event_time=local, user_id=1, app_name="a", event_category="c")
    assert event.event_time == local
    assert event.event_time.tzinfo is UTC


def test_python_callers_may_not_pass_naive_datetimes() -> None:
    """A datetime without a time zone is refused."""
    with pytest.raises(ValidationError, match="time zone"):
        Event(
            event_time=datetime(2026, 1, 31),  # noqa: DTZ001
            user_id=1,
            app_name="a",
            event_category="c",
        )
