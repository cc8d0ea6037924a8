from __future__ import annotations

import gzip
import json
import uuid
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given

from events_ingest import BrokerUnavailable, BufferFull, NotAcknowledged, ProducerError
from events_schema import Contract
from events_schema.parse import MAX_FIELDS
from events_schema.testing import invalid_posted_events, posted_events
from ingest_support.collector_app import (
    VALID,
    FailingProducer,
    RecordingProducer,
    RefusingProducer,
    ask,
    collector,
    error_of,
    post,
)
from ingest_support.contracts import CONTRACT, SHOP, with_contract


@given(with_contract(posted_events))
def test_a_valid_event_becomes_its_record(case: tuple[Contract[Any], dict[str, Any]]) -> None:
    """A valid event is answered 200 with its id, and its record contains what was posted."""
    contract, event = case
    producer = RecordingProducer()

    response = post(collector(producer, contract), event)

    assert response.status_code == 200, response.text
    (record,) = map(contract.decode, producer.values)
    assert response.json() == {"detail": "Event created", "event_id": record.event_id}
    assert record.event_id == (event.get("event_id") or record.event_id)
    posted = contract.posted.model_validate(event)
    expected = posted.model_dump(exclude={"event_id", "event_time"})
    assert expected.items() <= record.model_dump().items()
    assert abs(datetime.now(UTC) - record.received_time) < timedelta(minutes=5)
    if event.get("event_time") is None:
        assert record.event_time == record.received_time
    else:
        assert record.event_time == datetime.fromisoformat(event["event_time"])


@given(with_contract(invalid_posted_events))
def test_an_invalid_event_is_answered_with_its_field(
    case: tuple[Contract[Any], tuple[dict[str, Any], str]],
) -> None:
    """An event with one invalid field is answered 422 with that field, and nothing is produced."""
    contract, (event, field) = case
    producer = RecordingProducer()

    response = post(collector(producer, contract), event)

    assert response.status_code == 422, response.text
    error = error_of(response)
    assert [each["field"] for each in error["fields"]] == [field]
    assert all(each["code"] and each["message"] for each in error["fields"])
    assert error["retryable"] is False
    assert producer.values == []


@pytest.mark.parametrize(
    ("own", "field", "code"),
    [
        ({"seats": "3"}, "seats", "int_type"),
        ({"seats": 2**31}, "seats", "less_than_equal"),
        ({"trial": 1}, "trial", "bool_type"),
        ({"price": "1.5"}, "price", "float_type"),
        ({"renewed": "2026-01-31"}, "renewed", "event_time_format"),
        ({"plan": ""}, "plan", "string_too_short"),
        ({"colour": None}, "colour", "extra_forbidden"),
    ],
)
def test_a_wrong_own_field_is_answered_with_its_name(
    own: dict[str, Any], field: str, code: str
) -> None:
    """An own field with another type, or one that the contract lacks, is answered 422."""
    response = post(collector(contract=SHOP), {**VALID, **own})

    assert response.status_code == 422
    assert [(each["field"], each["code"]) for each in error_of(response)["fields"]] == [
        (field, code)
    ]


def test_an_event_without_an_id_gets_a_uuid_of_version_7() -> None:
    """The collector's own ids are UUIDv7 in canonical form."""
    event_id = post(collector(), VALID).json()["event_id"]

    assert uuid.UUID(event_id).version == 7
    assert str(uuid.UUID(event_id)) == event_id


def test_an_error_does_not_repeat_what_was_sent() -> None:
    """A 422 names the field without the client's value."""
    response = post(collector(), {**VALID, "user_id": "my-password", "event_id": "my-password"})

    assert response.status_code == 422
    assert "my-password" not in response.text


def test_an_error_names_a_bounded_number_of_fields() -> None:
    """An event with thousands of invalid fields is answered with only a few of them."""
    response = post(collector(), {**VALID, **{f"unknown_{n}": n for n in range(1000)}})

    assert len(error_of(response)["fields"]) == MAX_FIELDS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"3",
        b"\xff",
        b'{"user_id":NaN}',
        b'{"user_id":1}{}',
        b'{"user_id":1,"user_id":1}',
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
    ],
)
def test_a_malformed_body_is_answered_400(body: bytes) -> None:
    """A body that is not one JSON object with unique keys and limited nesting is answered 400."""
    response = post(collector(), body)

    assert response.status_code == 400
    assert error_of(response)["code"] == "malformed_json"
    assert error_of(response)["retryable"] is False


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Token": "second"},
        {"Authorization": "Bearer first"},
        {"Authorization": "bearer second"},
        {"X-Token": "schlüssel".encode()},
        {"X-Token": "wrong", "Authorization": "Bearer first"},
    ],
)
def test_every_key_opens(headers: dict[str, Any]) -> None:
    """Each configured key is accepted, in either header."""
    app = collector(token=("first", "second", "schlüssel"), allow_anonymous=False)

    assert post(app, VALID, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Token": ""},
        {"X-Token": "firs"},
        {"X-Token": "firstx"},
        {"X-Token": "ü".encode()},
        {"X-Token": b"\xff"},
        {"Authorization": "first"},
        {"Authorization": "Basic first"},
        {"Authorization": "Bearer "},
    ],
)
def test_a_wrong_key_is_answered_401(headers: dict[str, Any]) -> None:
    """Without a valid key, the answer is 401 with `WWW-Authenticate`."""
    response = post(collector(token=("first",), allow_anonymous=False), VALID, headers=headers)

    assert response.status_code == 401
    assert "Bearer" in response.headers["WWW-Authenticate"]
    assert error_of(response)["code"] == "unauthorized"


async def _unread() -> AsyncIterator[bytes]:
    raise AssertionError("the body was read")
    yield b""


def test_the_key_is_checked_before_the_body_is_read() -> None:
    """A request with a wrong key is answered before its body is read."""
    app = collector(token=("first",), allow_anonymous=False)

    assert ask(app, "POST", "/track", content=_unread()).status_code == 401


def test_a_known_absence_is_answered_before_the_body_is_read() -> None:
    """While Kafka is unavailable, the answer is 503 before the body is read."""
    response = ask(
        collector(RecordingProducer(ready=False)),
        "POST",
        "/track",
        content=_unread(),
        headers={"Content-Type": "application/json"},
    )

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert error_of(response)["retryable"] is True


@pytest.mark.parametrize(
    ("error", "code", "with_id"),
    [
        (BrokerUnavailable("away"), "broker_unavailable", False),
        (NotAcknowledged("late"), "not_acknowledged", True),
    ],
)
def test_a_failed_record_is_answered_503(error: ProducerError, code: str, with_id: bool) -> None:
    """A 503 has Retry-After, and the id of an event that may be stored nevertheless."""
    producer = FailingProducer(error)

    response = post(collector(producer), VALID)

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert error_of(response)["code"] == code
    assert error_of(response)["retryable"] is True
    (value,) = producer.values
    assert response.json().get("event_id") == (CONTRACT.decode(value).event_id if with_id else None)


@pytest.mark.parametrize("error", [BrokerUnavailable("away"), BufferFull("full")])
def test_a_refused_record_is_answered_503(error: ProducerError) -> None:
    """If nothing was sent to Kafka, the 503 has no id."""
    response = post(collector(RefusingProducer(error)), {**VALID, "event_id": str(uuid.uuid4())})

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert error_of(response)["code"] == error.code
    assert "event_id" not in response.json()


@pytest.mark.parametrize("length", [65, 1000, 2_000_000])
def test_a_body_that_is_too_long_is_answered_413(length: int) -> None:
    """A body over the limit is answered 413, with or without Content-Length."""
    app = collector(max_event_bytes=64)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(length):
            yield b" "

    assert post(app, b" " * length).status_code == 413
    if length < 10_000:
        unannounced = ask(app, "POST", "/track", content=chunks())
        assert unannounced.status_code == 413
        assert error_of(unannounced)["code"] == "body_too_large"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-ndjson"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Encoding": "compress"},
        {"Content-Encoding": "gzip, gzip"},
    ],
)
def test_another_type_or_encoding_is_answered_415(headers: dict[str, str]) -> None:
    """A body that is not declared as JSON in UTF-8 with a supported coding is answered 415."""
    response = post(collector(), VALID, headers=headers)

    assert response.status_code == 415
    assert error_of(response)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "Application/JSON; Charset=UTF-8"},
        {"Content-Type": "text/plain;charset=UTF-8"},
        {"Content-Type": "application/json", "Content-Encoding": "identity"},
    ],
)
def test_json_is_accepted_however_it_is_announced(headers: dict[str, str]) -> None:
    """JSON in UTF-8 is accepted with any spelling of its type, as text, or without a type."""
    body = json.dumps(VALID).encode()

    assert ask(collector(), "POST", "/track", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
    ],
)
def test_a_compressed_body_is_taken(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    """Each coding is decompressed; invalid data is answered 400, a decompression bomb 413."""
    app, headers = collector(), {"Content-Encoding": encoding}
    compressed = compress(json.dumps(VALID).encode())

    assert post(app, compressed, headers=headers).status_code == 200
    assert error_of(post(app, compressed[:-5], headers=headers))["code"] == "malformed_encoding"
    bomb = compress(b" " * 50_000_000)
    assert error_of(post(app, bomb, headers=headers))["code"] == "body_too_large"


def test_an_event_outside_the_window_is_answered_422() -> None:
    """The window comes from the settings, and the answer names the field."""
    old = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    event = {**VALID, "event_time": old}

    assert post(collector(), event).status_code == 200
    response = post(collector(event_time_back=3600), event)
    assert response.status_code == 422
    assert [each["code"] for each in error_of(response)["fields"]] == ["event_time_window"]
