"""`POST /batch`, with a test double as producer."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import tracemalloc
import uuid
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from events_ingest import BrokerUnavailable, BufferFull, NotAcknowledged
from events_schema import Contract
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
from ingest_support.contracts import CONTRACT, with_contract

INVALID = {**VALID, "user_id": "3"}


def ndjson(events: list[Any]) -> bytes:
    """`events` as lines."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


Cases = list[tuple[Any, str | None]]
"""Events, each with the name of its invalid field, if any."""


def batches(contract: Contract[Any]) -> st.SearchStrategy[Cases]:
    """Events for one batch, valid and invalid."""
    good = posted_events(contract).map(lambda event: (event, None))
    return st.lists(good | invalid_posted_events(contract), min_size=1, max_size=12)


@settings(max_examples=40)
@given(with_contract(batches), st.sampled_from(["array", "object", "lines"]))
def test_a_batch_is_taken_event_by_event(drawn: tuple[Contract[Any], Cases], form: str) -> None:
    """Valid events become records in order; invalid ones are rejected with index and field."""
    contract, cases = drawn
    events = [event for event, _ in cases]
    wrong = {index: field for index, (_, field) in enumerate(cases) if field is not None}
    producer = RecordingProducer()
    app = collector(producer, contract)
    if form == "lines":
        headers = {"Content-Type": "application/x-ndjson"}
        response = post(app, ndjson(events), "/batch", headers=headers)
    else:
        response = post(app, events if form == "array" else {"events": events}, "/batch")
    records = [contract.decode(value) for value in producer.values]
    if len(wrong) == len(events):
        assert response.status_code == 422, response.text
        assert error_of(response)["fields"][0]["field"] == f"0.{wrong[0]}"
        assert records == []
        return
    assert response.status_code == 200, response.text
    said = response.json()
    assert said["accepted"] == len(events) - len(wrong)
    assert said["event_ids"] == [record.event_id for record in records]
    assert {each["index"]: each["errors"][0]["field"] for each in said["rejected"]} == wrong
    good = [event for index, event in enumerate(events) if index not in wrong]
    assert [record.user_id for record in records] == [event["user_id"] for event in good]
    assert all(
        event.get("event_id") in (None, record.event_id)
        for event, record in zip(good, records, strict=True)
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[]", 422, "invalid_batch"),
        (b'{"events": []}', 422, "invalid_batch"),
        (b"{}", 422, "invalid_batch"),
        (b'{"events": [], "more": 1}', 422, "invalid_batch"),
        (json.dumps(VALID).encode(), 422, "invalid_batch"),
        (json.dumps([INVALID, INVALID]).encode(), 422, "invalid_batch"),
        (json.dumps({"events": [VALID], "sent_at": "now"}).encode(), 422, "invalid_batch"),
        (b"", 400, "malformed_json"),
        (b"3", 400, "malformed_json"),
        (b"[", 400, "malformed_json"),
        (b'{"events": 3}', 400, "malformed_json"),
        (b'{"events": [1], "events": [2]}', 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (json.dumps([VALID] * 6).encode(), 413, "too_many_events"),
        (b"[" + b"[[]]," * 100_000 + b"1]", 413, "too_many_events"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_batch_that_cannot_be_taken_is_refused(body: bytes, status: int, code: str) -> None:
    """A body that is not a batch, or has no valid event, is an error and produces nothing."""
    producer = RecordingProducer()
    response = post(collector(producer, max_batch_events=5), body, "/batch")

    assert response.status_code == status, response.text
    assert error_of(response)["code"] == code
    assert producer.values == []


def test_too_many_lines_are_refused() -> None:
    """The number of events is limited in NDJSON too; empty lines at the end do not count."""
    app = collector(max_batch_events=5)
    headers = {"Content-Type": "application/x-ndjson"}

    assert post(app, ndjson([VALID] * 5) + b"\n", "/batch", headers=headers).status_code == 200
    assert post(app, ndjson([VALID] * 6), "/batch", headers=headers).status_code == 413


def test_a_rejected_event_keeps_its_id_and_has_few_errors() -> None:
    """A rejected event is answered with its own id and at most a few errors."""
    event_id = str(uuid.uuid4())
    many = {"event_id": event_id, **{f"unknown_{n}": n for n in range(1000)}}
    large = {**VALID, "app_name": "x" * 40_000}
    twice = b'{"user_id": 1, "user_id": 2}'
    body = b"[" + b",".join([json.dumps(many).encode(), json.dumps(large).encode(), twice]) + b"]"
    response = post(collector(), body[:-1] + b"," + json.dumps(VALID).encode() + b"]", "/batch")

    rejected = response.json()["rejected"]
    assert [each["event_id"] for each in rejected] == [event_id, None, None]
    assert [each["errors"][0]["code"] for each in rejected][1:] == [
        "event_too_large",
        "malformed_json",
    ]
    assert len(rejected[0]["errors"]) == 3


def test_a_client_s_clock_is_corrected() -> None:
    """`sent_at` corrects the events' times before the window is checked."""
    producer = RecordingProducer()
    now = datetime.now(UTC)
    behind = timedelta(days=30)
    events = [
        {**VALID, "event_time": (now - behind - timedelta(hours=1)).isoformat()},
        {**VALID, "event_time": (now - timedelta(hours=1)).isoformat()},
        VALID,
    ]
    sent_at = (now - behind).isoformat()
    response = post(collector(producer), {"events": events, "sent_at": sent_at}, "/batch")

    assert [each["index"] for each in response.json()["rejected"]] == [1]
    shifted, received = map(CONTRACT.decode, producer.values)
    assert abs(shifted.event_time - (now - timedelta(hours=1))) < timedelta(minutes=5)
    assert received.event_time == received.received_time


@pytest.mark.parametrize("sent_at", ["9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"])
def test_a_clock_beyond_all_measure_rejects_the_events_it_dates(sent_at: str) -> None:
    """A shift out of range rejects the events with a time, and is not a 500."""
    events = [{**VALID, "event_time": "9998-01-01T00:00:00Z"}, VALID]
    response = post(collector(), {"events": events, "sent_at": sent_at}, "/batch")

    assert response.status_code == 200
    assert [each["index"] for each in response.json()["rejected"]] == [0]


def test_a_partly_acknowledged_batch_is_answered_503_by_index() -> None:
    """The answer lists which events were acknowledged and which were not."""
    producer = FailingProducer(NotAcknowledged("late"), first=1)
    response = post(collector(producer), [INVALID, VALID, VALID, VALID], "/batch")

    assert response.status_code == 503
    assert error_of(response)["code"] == "not_acknowledged"
    said = response.json()
    ids = [CONTRACT.decode(value).event_id for value in producer.values]
    assert said["event_ids"] == ids
    assert said["acknowledged"] == [{"index": 1, "event_id": ids[0]}]
    assert said["unacknowledged"] == [
        {"index": 2, "event_id": ids[1]},
        {"index": 3, "event_id": ids[2]},
    ]
    assert [each["index"] for each in said["rejected"]] == [0]


@pytest.mark.parametrize(
    "producer",
    [
        RefusingProducer(BufferFull("full")),
        FailingProducer(BrokerUnavailable("away")),
        RecordingProducer(ready=False),
    ],
)
def test_a_batch_that_was_not_tried_is_answered_503_without_ids(producer: Any) -> None:
    """If nothing was sent to Kafka, nothing can be stored, so the answer has no ids."""
    response = post(collector(producer), [VALID], "/batch")

    assert response.status_code == 503
    assert "Retry-After" in response.headers
    assert set(response.json()) == {"error", "request_id"}


def test_a_batch_is_bounded_as_sent_and_decompressed() -> None:
    """A body over either limit is answered 413; a compressed one within both is accepted."""
    app = collector(max_batch_bytes=1000, max_decompressed_bytes=10_000)
    headers = {"Content-Encoding": "gzip"}

    assert post(app, [VALID] * 20, "/batch").status_code == 413
    short = gzip.compress(json.dumps([VALID] * 20).encode())
    assert post(app, short, "/batch", headers=headers).status_code == 200
    bomb = gzip.compress(b"[" + b"[[]]," * 10_000)
    assert post(app, bomb, "/batch", headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
    ],
)
def test_a_compressed_batch_is_taken(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    """Each coding is decompressed, for JSON and for lines."""
    producer = RecordingProducer()
    app = collector(producer, max_batch_bytes=1000)
    for body, media_type in [
        (json.dumps([VALID] * 100).encode(), "application/json"),
        (ndjson([VALID] * 100), "application/x-ndjson"),
    ]:
        headers = {"Content-Encoding": encoding, "Content-Type": media_type}
        response = post(app, compress(body), "/batch", headers=headers)
        assert response.json()["accepted"] == 100
        garbled = post(app, compress(body)[:-5], "/batch", headers=headers)
        assert error_of(garbled)["code"] == "malformed_encoding"
    assert len(producer.values) == 200


@pytest.mark.parametrize("app_name", ["\ud83d", "shop \ude00", "\ud83d shop", '\\\ud83d"'])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_text_cut_within_an_emoji_costs_no_other_event(app_name: str, wrapped: bool) -> None:
    """A lone surrogate is an error of one event; an emoji beside it arrives unchanged."""
    producer = RecordingProducer()
    events = [{**VALID, "app_name": "😀\\"}, {**VALID, "app_name": app_name}, VALID]
    batch = {"events": events} if wrapped else events

    response = post(collector(producer), batch, "/batch")

    (rejected,) = response.json()["rejected"]
    assert (rejected["index"], rejected["errors"][0]["field"]) == (1, "app_name")
    assert [CONTRACT.decode(value).app_name for value in producer.values] == ["😀\\", "shop"]


class MeasuringProducer(RecordingProducer):
    """Measures how much memory is held while records wait."""

    held = 0

    def produce(self, values: Sequence[bytes]) -> list[asyncio.Future[None]]:
        """Measure, and acknowledge."""
        gc.collect()
        self.held, _ = tracemalloc.get_traced_memory()
        return super().produce(values)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_the_body_is_not_held_while_its_events_wait_for_kafka(encoding: str) -> None:
    """While records wait for Kafka, the texts that they came from are no longer in memory."""
    producer = MeasuringProducer()
    app = collector(producer)
    event = json.dumps(VALID).encode()
    body = b"[" + b",".join([event[:-1] + b" " * 10_000 + b"}"] * 100) + b"]"
    post(app, [VALID], "/batch")  # allocates whatever is created once and kept
    tracemalloc.start()
    try:
        sent = gzip.compress(body) if encoding == "gzip" else body[:]
        headers = {"Content-Encoding": encoding}
        assert post(app, sent, "/batch", headers=headers).json()["accepted"] == 100
    finally:
        tracemalloc.stop()

    assert producer.held < len(body) / 2


def test_what_was_rejected_counts_while_the_others_wait() -> None:
    """The errors of rejected events count as bytes in flight, and are released with them."""
    events = [VALID] + [INVALID] * 100
    body = len(json.dumps(events))
    assert post(collector(max_in_flight_bytes=200_000), events, "/batch").status_code == 200
    app = collector(max_in_flight_bytes=body + 10_000)

    refused = post(app, events, "/batch")

    assert refused.status_code == 503
    assert error_of(refused)["code"] == "buffer_full"
    in_flight = ask(app, "GET", "/metrics").text.partition("\nevents_ingest_in_flight_bytes ")[2]
    assert float(in_flight.partition("\n")[0]) == 0


def test_a_batch_as_text_is_json() -> None:
    """A batch sent as `text/plain` is read as JSON, never as NDJSON."""
    headers = {"Content-Type": "text/plain"}

    assert post(collector(), [VALID], "/batch", headers=headers).status_code == 200
    assert post(collector(), ndjson([VALID, VALID]), "/batch", headers=headers).status_code == 422
    assert ask(collector(), "GET", "/batch").status_code == 405
