"""The plain reader: fast, and always in agreement with the contract's parser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_ingest.endpoints.plain import PlainReader
from events_schema import (
    Bool,
    Contract,
    Event,
    Float64,
    Int64,
    InvalidEvent,
    MalformedJson,
    Text,
    Time,
    column_names,
)
from events_schema.testing import bodies, contracts, posted_events

CONTRACT = Contract(Event)
PLAIN = b'{"user_id": 1, "app_name": "shop", "event_category": "page"}'


class OwnEvent(Event):
    plan: Text | None = None
    price: Float64 | None = None
    vip: Bool | None = None
    sent: Int64 | None = None
    since: Time | None = None


OWN = Contract(OwnEvent)


def parsed(contract: Contract[Any], text: bytes) -> list[Any] | None:
    """The values that the contract's parser reads from `text`; None if it refuses it."""
    try:
        members = contract.parse_event(text).__dict__
    except (MalformedJson, InvalidEvent):
        return None
    return [members[name] for name in column_names(contract.envelope) if name in members]


def twisted(contract: Contract[Any]) -> st.SearchStrategy[bytes]:
    """Valid events with duplicate members, and numbers and texts that may mislead."""
    members = [
        '"user_id":1',
        '"user_id":1.0',
        '"user_id":-0',
        '"app_name":"null"',
        '"app_name":"a:b"',
        '"event_action":null',
        '"event_action":""',
        '"event_value":1e0',
        '"event_time":"2026-01-31T12:00:00Z"',
        '"event_time":"2026-02-30T12:00:00Z"',
        '"event_id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"',
        '"event_id":"0190A1B2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"',
        '"unknown":1',
        *(
            f'"{column.name}":{value}'
            for column in contract.own_columns
            for value in ("-0.0", "0", "1e400", "-1e-400", "9007199254740993", "true", '"x"')
        ),
    ]
    return st.builds(
        lambda event, added: ("{" + ", ".join([json.dumps(event)[1:-1], *added]) + "}").encode(),
        posted_events(contract),
        st.lists(st.sampled_from(members), max_size=3),
    )


@given(st.data(), st.sampled_from([CONTRACT, OWN]) | contracts())
def test_what_is_read_plainly_is_what_the_contract_reads(
    data: st.DataObject, contract: Contract[Any]
) -> None:
    """The reader returns exactly the contract's values, or leaves the event to the contract."""
    text = data.draw(bodies(contract) | twisted(contract))
    values = PlainReader(contract).read(text)
    if values is not None:
        assert repr(values) == repr(parsed(contract, text))


@pytest.mark.parametrize("contract", [CONTRACT, OWN], ids=["default", "own"])
def test_what_clients_usually_send_is_read_plainly(contract: Contract[Any]) -> None:
    """The reader handles what clients usually send."""
    assert PlainReader(contract).read(PLAIN) == parsed(contract, PLAIN)


def test_values_of_every_type_are_read_plainly() -> None:
    """The reader handles own fields, an id and a time."""
    text = (
        b'{"user_id":1,"app_name":"shop","event_category":"page","event_value":-3,'
        b'"event_id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","event_time":"2026-01-31T12:00:00Z",'
        b'"plan":"pro","price":-0.0,"vip":false,"sent":9007199254740993,'
        b'"since":"2026-01-31T12:00:00.5+01:00"}'
    )
    values = PlainReader(OWN).read(text)
    assert values is not None
    assert repr(values) == repr(parsed(OWN, text))


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace(b"1", b"1.0"),
        PLAIN.replace(b"1", b"true"),
        PLAIN.replace(b"1", b"2147483648"),
        PLAIN.replace(b"shop", b""),
        PLAIN.replace(b"shop", b"x" * 257),
        PLAIN.replace(b"shop", b"a\0b"),
        PLAIN.replace(b"shop", b"\xff"),
        PLAIN.replace(b"shop", b"\\u0041"),
        PLAIN.replace(b"}", b', "event_action": null}'),
        PLAIN.replace(b"}", b', "user_id": 1}'),
        PLAIN.replace(b"}", b', "app_name": "shop"}'),
        PLAIN.replace(b"}", b', "unknown": 1}'),
        PLAIN.replace(b"}", b', "event_id": "1"}'),
        PLAIN.replace(b"}", b', "event_time": "yesterday"}'),
        PLAIN.replace(b"}", b', "event_time": "1969-12-31T23:59:59Z"}'),
        b"[" + PLAIN + b"]",
        PLAIN + PLAIN,
        b"",
        b"[" * 100_000,
    ],
    ids=lambda text: repr(text[:60]),
)
def test_what_is_not_plain_is_left_to_the_contract(text: bytes) -> None:
    """The reader leaves everything unusual to the contract, valid or not."""
    assert PlainReader(CONTRACT).read(text) is None
