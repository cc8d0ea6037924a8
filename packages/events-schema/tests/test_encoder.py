"""The fast encoder and parser, compared with slow reference implementations."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from events_schema import Contract, Event, EventEnvelope, InvalidEvent, MalformedJson, PostedEvent
from events_schema.avro import HEADER_LENGTH
from events_schema.encoder import zigzag
from events_schema.models.types import LATEST_TIME, MAX_TEXT_LENGTH
from events_schema.parse import MAX_FIELDS, MAX_UNKNOWN_FIELDS, parse_object
from events_schema.testing import bodies, contracts, event_envelopes, posted_events

CONTRACT = Contract(Event)

any_contract = st.just(CONTRACT) | contracts()


def written_by_fastavro(schema: Any, value: Any) -> bytes:
    """The bytes that fastavro writes for `value`."""
    written = BytesIO()
    fastavro.schemaless_writer(written, schema, value)
    return written.getvalue()


@given(st.data(), any_contract)
def test_an_event_is_written_as_fastavro_writes_it(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """The body of a record equals, byte for byte, what fastavro writes for the same event."""
    envelope = data.draw(event_envelopes(contract))
    schema = fastavro.parse_schema(contract.avro_schema)
    expected = written_by_fastavro(schema, envelope.model_dump())
    assert contract.encode(envelope)[HEADER_LENGTH:] == expected


@given(st.data(), any_contract)
def test_what_is_remembered_of_values_changes_nothing(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """Events that share values are written as if each were the only one."""
    first, second = data.draw(st.lists(event_envelopes(contract), min_size=2, max_size=2))
    schema = fastavro.parse_schema(contract.avro_schema)
    shared = data.draw(st.sets(st.sampled_from(sorted(contract.envelope.model_fields))))
    mixed = second.model_copy(update={name: getattr(first, name) for name in shared})

    for envelope in (first, mixed, second, first, mixed):
        expected = written_by_fastavro(schema, envelope.model_dump())
        assert contract.encode(envelope)[HEADER_LENGTH:] == expected


@given(st.data(), any_contract)
def test_no_record_is_longer_than_the_longest(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """No event makes a record longer than `max_record_bytes`."""
    envelope = data.draw(event_envelopes(contract))
    assert len(contract.encode(envelope)) <= contract.max_record_bytes


@pytest.mark.parametrize("number", [-(2**31), 2**31 - 1])
def test_the_longest_record_is_one_of_an_event(number: int) -> None:
    """An event with the longest texts at the last moment has the longest record."""
    text = "😀" * MAX_TEXT_LENGTH
    envelope = EventEnvelope(
        event_id="0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        received_time=LATEST_TIME,
        event_time=LATEST_TIME,
        user_id=number,
        app_name=text,
        event_action=text,
        event_category=text,
        event_value=number,
    )

    assert len(CONTRACT.encode(envelope)) == CONTRACT.max_record_bytes


@given(
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(0, 63).flatmap(
        lambda bits: st.sampled_from([2**bits - 1, -(2**bits), -(2**bits) + 1])
    )
)
def test_numbers_are_written_as_avro_s(number: int) -> None:
    """Every 64-bit integer is written as fastavro writes a long."""
    assert zigzag(number) == written_by_fastavro("long", number)


def slowly_parsed(contract: Contract[Event], body: bytes) -> PostedEvent | None:
    """The event in `body` by the slow parser; None if it is invalid."""
    try:
        return contract.posted.model_validate(parse_object(body, contract.parser.max_brackets))
    except (MalformedJson, ValidationError):
        return None


def twisted_bodies(contract: Contract[Event]) -> st.SearchStrategy[bytes]:
    """Valid events with duplicate members, escapes and whitespace, to mislead the fast parser."""
    members = st.sampled_from(
        [
            '"user_id":1',
            '"app_name":"a"',
            '"app_name":null',
            '"event_action":null',
            '"event_action":"\\""',
            '"event_value":null',
            '"event_value":1.0',
            '"event_time":null',
            '"event_id":null',
            '"event_category":"c"',
            '"unknown":"u"',
            '"\\u0061pp_name":"b"',
            '"user_id":NaN',
            '"user_id":1e0',
            *(f'"{column.name}":null' for column in contract.own_columns),
            *(f'"{column.name}":-0' for column in contract.own_columns),
            *(f'"{column.name}":1e400' for column in contract.own_columns),
        ]
    )
    return st.builds(
        lambda event, added: ("{" + ", ".join([json.dumps(event)[1:-1], *added]) + "}").encode(),
        posted_events(contract),
        st.lists(members, max_size=3),
    )


@given(st.data(), any_contract)
def test_the_fast_way_takes_nothing_that_the_slow_way_refuses(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """An event from the fast parser equals the slow parser's, including which fields are set."""
    body = data.draw(bodies(contract) | twisted_bodies(contract))
    fast = contract.parser.parse_plain(body)

    if fast is not None:
        slow = slowly_parsed(contract, body)
        assert slow is not None
        assert repr(fast) == repr(slow)
        assert fast.model_fields_set == slow.model_fields_set


@given(st.data(), any_contract)
def test_parsing_is_what_the_slow_way_makes_of_it(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """`parse_event` returns and raises the same as the slow parser."""
    body = data.draw(bodies(contract) | twisted_bodies(contract))
    try:
        event = contract.parse_event(body)
    except (MalformedJson, InvalidEvent):
        assert slowly_parsed(contract, body) is None
    else:
        assert event == slowly_parsed(contract, body)


def test_a_common_event_is_parsed_fast() -> None:
    """The fast parser handles what clients usually send."""
    body = b'{"user_id": 1, "app_name": "shop", "event_category": "page", "event_value": 3}'

    fast = CONTRACT.parser.parse_plain(body)
    assert fast is not None
    assert fast == slowly_parsed(CONTRACT, body)


def test_of_thousands_of_unknown_fields_a_few_are_named() -> None:
    """An error names at most twenty fields, known ones included, however many are unknown."""
    event = {
        **{f"unknown_{n}": n for n in range(5000)},
        "user_id": "1",
        "app_name": "shop",
        "event_category": "page",
    }

    with pytest.raises(InvalidEvent) as refused:
        CONTRACT.parse_event(json.dumps(event).encode())

    named = [each["field"] for each in refused.value.errors]
    assert named[0] == "user_id"
    assert all(name.startswith("unknown_") for name in named[1:])
    assert len(named) == MAX_FIELDS <= MAX_UNKNOWN_FIELDS
    assert "\n" not in str(refused.value)
