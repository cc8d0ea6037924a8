"""The wire format: what is encoded comes back, and nothing else is taken for an event."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_schema import (
    DecodeError,
    EventEnvelope,
    FailureReason,
    avro_schema,
    decode,
    encode,
    fingerprint,
)
from events_schema.testing import event_envelopes

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
VALUE = encode(ENVELOPE)


@given(event_envelopes())
def test_an_encoded_event_decodes_to_itself(envelope: EventEnvelope) -> None:
    """Encoding and decoding lose nothing."""
    assert decode(encode(envelope)) == envelope


def test_the_first_bytes_are_those_of_the_avro_specification() -> None:
    """C3 01, then the little-endian fingerprint that Java computes for the same schema."""
    assert VALUE[:10].hex() == "c30137d838665c06fe12"
    assert VALUE[2:10] == fingerprint(avro_schema())


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
    """Each way to break a record has its reason code."""
    with pytest.raises(DecodeError) as refusal:
        decode(value)
    assert refusal.value.reason == reason


@given(st.binary(max_size=100).map(lambda body: VALUE[:10] + body))
def test_any_bytes_are_an_event_or_refused(value: bytes) -> None:
    """A body of random bytes raises nothing but `DecodeError`."""
    try:
        envelope = decode(value)
    except DecodeError:
        return
    assert encode(envelope) == value
