"""The wire format: events are decoded unchanged, and anything else is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_schema import (
    Contract,
    DecodeError,
    Event,
    EventEnvelope,
    FailureReason,
    Float64,
    fingerprint,
)
from events_schema.testing import contracts, event_envelopes

CONTRACT = Contract(Event)

ENVELOPE = EventEnvelope.model_validate(
    {
        "event_id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "received_time": "2026-01-31T12:00:00Z",
        "event_time": "2026-01-31T11:59:59.000001Z",
        "user_id": 7,
        "app_name": "shop",
        "event_action": None,
        "event_category": "page",
        "event_value": 54,
    }
)
VALUE = CONTRACT.encode(ENVELOPE)


@given(st.data(), st.just(CONTRACT) | contracts())
def test_an_encoded_event_decodes_to_itself(data: st.DataObject, contract: Contract[Event]) -> None:
    """Encoding and decoding lose nothing, whatever own fields there are."""
    envelope = data.draw(event_envelopes(contract))
    decoded = contract.decode(contract.encode(envelope))
    assert decoded == envelope
    assert repr(decoded) == repr(envelope)  # which tells -0.0 from 0.0, and True from 1


def test_the_first_bytes_are_those_of_the_avro_specification() -> None:
    """A record starts with C3 01 and the little-endian fingerprint that Java computes."""
    assert VALUE[:10].hex() == "c30137d838665c06fe12"
    assert VALUE[2:10] == fingerprint(CONTRACT.avro_schema)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, FailureReason.EMPTY),
        (b"", FailureReason.EMPTY),
        (b"garbage", FailureReason.NOT_SINGLE_OBJECT),
        (VALUE[:9], FailureReason.NOT_SINGLE_OBJECT),
        (VALUE[:2] + b"12345678" + VALUE[10:], FailureReason.UNKNOWN_SCHEMA),
        (VALUE[:-1], FailureReason.UNREADABLE_BODY),
        (VALUE[:10], FailureReason.UNREADABLE_BODY),
        (VALUE + b"\0", FailureReason.UNREADABLE_BODY),
        (VALUE[:10] + b"\xfa\xff\xff\xff\x0f" + b"abc", FailureReason.UNREADABLE_BODY),
        (VALUE[:11] + b"\xff" * 36 + VALUE[47:], FailureReason.INVALID_UTF8),
        (VALUE[:11] + b"0" * 36 + VALUE[47:], FailureReason.OUTSIDE_CONTRACT),
    ],
)
def test_what_is_no_event_is_refused_with_its_reason(
    value: bytes | None, reason: FailureReason
) -> None:
    """Each kind of invalid record has its reason code."""
    with pytest.raises(DecodeError) as refusal:
        CONTRACT.decode(value)
    assert refusal.value.reason == reason


@given(st.binary(max_size=100).map(lambda body: VALUE[:10] + body))
def test_any_bytes_are_an_event_or_refused(value: bytes) -> None:
    """Random bytes raise only `DecodeError`."""
    try:
        envelope = CONTRACT.decode(value)
    except DecodeError:
        return
    assert CONTRACT.encode(envelope) == value


@given(st.data(), contracts(min_fields=1))
def test_any_bytes_of_a_contract_of_ones_own_are_an_event_or_refused(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """With own fields, random bytes raise only `DecodeError`, and accepted ones are canonical."""
    envelope = data.draw(event_envelopes(contract))
    value = bytearray(contract.encode(envelope))
    place = data.draw(st.integers(10, len(value) - 1))
    value[place] = data.draw(st.integers(0, 255))
    try:
        decoded = contract.decode(bytes(value))
    except DecodeError:
        return
    assert contract.encode(decoded) == value


def test_a_number_that_is_not_finite_is_outside_the_contract() -> None:
    """NaN and the infinities are doubles in Avro, but invalid values of a Float64."""

    class PricedEvent(Event):
        price: Float64 | None = None

    contract = Contract(PricedEvent)
    envelope = contract.envelope.model_validate({**ENVELOPE.model_dump(), "price": 1.0})
    value = contract.encode(envelope)
    assert value.endswith(struct.pack("<d", 1.0))
    for number in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(DecodeError) as refusal:
            contract.decode(value[:-8] + struct.pack("<d", number))
        assert refusal.value.reason == FailureReason.OUTSIDE_CONTRACT
