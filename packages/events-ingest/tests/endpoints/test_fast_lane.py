"""The fast lane, which must do the same as the application or leave the request to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import Response
from structlog.testing import capture_logs

from events_ingest import BrokerUnavailable, BufferFull, NotAcknowledged, ProducerError
from events_ingest.endpoints.fast_lane import FAST_LANE, FastLane, Headers
from events_schema import Contract
from events_schema.testing import bodies, posted_events
from ingest_support.collector_app import (
    VALID,
    FailingProducer,
    RecordingProducer,
    RefusingProducer,
    ask,
    collector,
    post,
)
from ingest_support.contracts import with_contract

BODY = json.dumps(VALID).encode()
SHOP = b"https://shop.example"


def in_lane(app: Starlette, use: Callable[[FastLane], Response | None]) -> Response | None:
    """The result of `use` for the application's fast lane."""

    async def run() -> Response | None:
        async with app.router.lifespan_context(app) as state:
            assert state
            return use(state[FAST_LANE])

    return asyncio.run(run())


def fast(app: Starlette, body: bytes = BODY, headers: Headers = ()) -> Response | None:
    """The lane's answer to a request; None if it leaves the request to the application."""

    def take(lane: FastLane) -> Response | None:
        taken = lane.take(headers, body)
        return lane.answer(taken, ("10.0.0.1", 1234)) if taken else None

    return in_lane(app, take)


def without_ids(content: Any) -> Any:
    """`content` without the ids that are new for each request."""
    return {name: value for name, value in content.items() if name not in _IDS}


_IDS = ("event_id", "request_id")
_FILLED_IN = ("event_id", "event_time")


def any_bodies(contract: Contract[Any]) -> st.SearchStrategy[bytes]:
    """Request bodies, often valid events."""
    return bodies(contract) | posted_events(contract).map(lambda event: json.dumps(event).encode())


@settings(max_examples=60)
@given(with_contract(any_bodies))
def test_it_takes_what_the_application_takes_and_nothing_else(
    case: tuple[Contract[Any], bytes],
) -> None:
    """A request in the lane is answered and recorded as by the application."""
    contract, body = case
    quick, slow = RecordingProducer(), RecordingProducer()
    answer = fast(collector(quick, contract), body)
    response = post(collector(slow, contract), body)

    if answer is None:
        assert quick.values == []
        assert response.status_code != 200
        return
    assert response.status_code == answer.status_code == 200
    assert without_ids(json.loads(bytes(answer.body))) == without_ids(response.json())
    (record,), (expected,) = map(contract.decode, quick.values), map(contract.decode, slow.values)
    posted = contract.parse_event(body)
    filled_in = {"received_time"} | {name for name in _FILLED_IN if getattr(posted, name) is None}
    assert record.model_dump(exclude=filled_in) == expected.model_dump(exclude=filled_in)
    assert json.loads(bytes(answer.body))["event_id"] == record.event_id


@pytest.mark.parametrize(
    ("headers", "changes"),
    [
        ([(b"content-type", b"application/x-ndjson")], {}),
        ([(b"content-type", b"application/json; charset=latin-1")], {}),
        ([(b"content-encoding", b"gzip")], {}),
        ([], {"max_event_bytes": len(BODY) - 1}),
        ([], {"token": ("secret",), "allow_anonymous": False}),
        ([(b"x-token", b"wrong")], {"token": ("secret",), "allow_anonymous": False}),
        (
            [(b"x-token", b"public"), (b"origin", b"https://other.example")],
            {"public_key": (f"public {SHOP.decode()}",), "allow_anonymous": False},
        ),
    ],
)
def test_what_is_not_beyond_doubt_is_left_to_the_application(
    headers: Headers, changes: dict[str, Any]
) -> None:
    """A request that might be refused is not accepted, and nothing of it is produced."""
    producer = RecordingProducer()

    assert fast(collector(producer, **changes), headers=headers) is None
    assert producer.values == []


def test_nothing_is_taken_while_kafka_is_away() -> None:
    """While Kafka is unavailable, the application answers, with Retry-After."""
    assert fast(collector(RecordingProducer(ready=False))) is None


@pytest.mark.parametrize(
    ("producer", "body"),
    [
        (RecordingProducer(), b"{"),
        (RecordingProducer(), b"{}"),
        (RefusingProducer(BufferFull("full")), BODY),
    ],
)
def test_what_is_left_to_the_application_counts_once(
    producer: RecordingProducer, body: bytes
) -> None:
    """A request that the lane leaves to the application counts once for the rate of its key."""
    app = collector(producer, token=("secret",), allow_anonymous=False, max_rate=0.001)

    assert fast(app, body, [(b"x-token", b"secret")]) is None
    assert post(app, body, headers={"X-Token": "secret"}).status_code in (400, 422, 503)
    assert post(app, body, headers={"X-Token": "secret"}).status_code == 429


@pytest.mark.parametrize("error", [NotAcknowledged("late"), BrokerUnavailable("away")])
def test_a_failed_event_is_answered_as_by_the_application(error: ProducerError) -> None:
    """A 503 has the same content and headers with and without the lane."""
    answer = fast(collector(FailingProducer(error)))
    response = post(collector(FailingProducer(error)), BODY)

    assert answer
    assert answer.status_code == response.status_code == 503
    said, expected = json.loads(bytes(answer.body)), response.json()
    assert said.keys() == expected.keys()
    assert without_ids(said) == without_ids(expected)
    assert set(answer.headers.keys()) == set(response.headers.keys())


def test_headers_are_those_of_the_application() -> None:
    """The answer has the client's request id and the CORS headers for the page's origin."""
    keys: dict[str, Any] = {"public_key": (f"public {SHOP.decode()}",), "allow_anonymous": False}
    headers = {"X-Token": "public", "Origin": SHOP.decode(), "X-Request-Id": "mine"}
    answer = fast(
        collector(**keys),
        headers=[(k.lower().encode(), v.encode()) for k, v in headers.items()],
    )
    response = post(collector(**keys), BODY, headers=headers)

    assert answer
    assert dict(answer.headers) == dict(response.headers)
    assert answer.headers["x-request-id"] == "mine"


def test_it_is_counted_and_logged_as_by_the_application() -> None:
    """Metrics and access log are the same with and without the lane, without client data."""
    app = collector(access_log=1, token=("secret",), allow_anonymous=False)
    with capture_logs() as logs:
        fast(app, headers=[(b"x-token", b"secret"), (b"user-agent", b"browser")])
        post(app, BODY, headers={"X-Token": "secret"})
    quick, slow = logs

    assert quick.keys() == slow.keys()
    differing = {name for name in quick if quick[name] != slow[name]}
    assert differing <= {"milliseconds", "request_id"}
    assert not {"secret", "browser", "10.0.0.1"} & set(map(str, quick.values()))
    metrics = ask(app, "GET", "/metrics").text
    assert 'events_ingest_requests_total{code="200",endpoint="/track"} 2.0' in metrics
    assert 'events_ingest_events_total{outcome="accepted"} 2.0' in metrics
