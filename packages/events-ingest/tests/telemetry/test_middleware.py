"""What every request gets (id, CORS headers, metrics, a log line), and the keys of pages."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from structlog.testing import capture_logs

from events_ingest import NotAcknowledged
from ingest_support.collector_app import (
    VALID,
    FailingProducer,
    RecordingProducer,
    ask,
    collector,
    error_of,
    post,
)

SHOP, OTHER = "https://shop.example", "https://other.example"
PAGE = {"Origin": SHOP}


def shop(producer: RecordingProducer | None = None, **settings: Any) -> Starlette:
    """A collector with a service's key and a key for the shop's pages."""
    keys = {"token": ("secret",), "public_key": (f"public {SHOP}",), "allow_anonymous": False}
    return collector(producer, **{**keys, **settings})


@pytest.mark.parametrize("given", ["a", "!~", "x" * 128, "3f0c8a52-6a1e-4d6f-9b27-0c5d1e8f7a90"])
def test_the_request_s_id_comes_back(given: str) -> None:
    """A client's own id is in the answer, also in the body of an error."""
    headers = {"X-Request-Id": given}

    assert post(collector(), VALID, headers=headers).headers["X-Request-Id"] == given
    response = post(collector(), b"x", headers=headers)
    assert error_of(response)
    assert response.json()["request_id"] == given


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Request-Id", "")],
        [("X-Request-Id", "x" * 129)],
        [("X-Request-Id", "a b")],
        [("X-Request-Id", b"\xff")],
        [("X-Request-Id", "a\tb")],
        [("X-Request-Id", "a"), ("X-Request-Id", "b")],
    ],
)
def test_a_bad_id_is_replaced(headers: list[tuple[str, Any]]) -> None:
    """Without an id, or with one that is unsafe in a log, the request gets a UUIDv7."""
    response = ask(collector(), "GET", "/livez", headers=headers)

    assert uuid.UUID(response.headers["X-Request-Id"]).version == 7


@pytest.mark.parametrize("path", ["/track", "/batch"])
def test_a_preflight_allows_to_post(path: str) -> None:
    """A preflight request from the shop is answered that it may post, and with which headers."""
    headers = {**PAGE, "Access-Control-Request-Method": "POST"}
    response = ask(shop(), "OPTIONS", path, headers=headers)

    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == SHOP
    assert response.headers["Access-Control-Allow-Methods"] == "POST"
    allowed = response.headers["Access-Control-Allow-Headers"].split(", ")
    assert sorted(allowed) == [
        "authorization",
        "content-encoding",
        "content-type",
        "x-request-id",
        "x-token",
    ]
    assert response.headers["Vary"] == "Origin"
    assert int(response.headers["Access-Control-Max-Age"]) > 0


def answers(app: Starlette, origin: str) -> dict[int, httpx.Response]:
    """Answers with different statuses to a page of `origin`, by status."""
    page = {"Origin": origin}
    keyed = {**page, "X-Token": "secret"}
    found = [
        post(app, VALID, headers=page),
        ask(app, "GET", "/nowhere", headers=page),
        post(app, {}, headers=keyed),
        post(app, VALID, headers=keyed),
    ]
    return {response.status_code: response for response in found}


def test_errors_may_be_read_by_the_page_too() -> None:
    """Every answer to a page of an allowed origin may be read by it, errors included."""
    found = answers(shop(FailingProducer(RuntimeError("defect"))), SHOP)

    assert set(found) == {401, 404, 422, 500}
    for response in found.values():
        assert response.headers["Access-Control-Allow-Origin"] == SHOP
        assert "X-Request-Id" in response.headers["Access-Control-Expose-Headers"]
        assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]
        assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", [OTHER, "null", "", "https://shop.example.evil", SHOP.upper()])
def test_other_origins_are_not_let_in(origin: str) -> None:
    """A page of another origin gets no CORS headers except `Vary`."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    found = [
        *answers(shop(), origin).values(),
        ask(shop(), "OPTIONS", "/track", headers=headers),
    ]

    for response in found:
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Vary"] == "Origin"


def test_without_keys_any_page_may_post() -> None:
    """A collector without keys allows pages of any origin."""
    for origin in (SHOP, OTHER, "null"):
        response = post(collector(), VALID, headers={"Origin": origin})
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Vary" not in response.headers
    assert "Access-Control-Allow-Origin" not in post(collector(), VALID).headers


@pytest.mark.parametrize("path", ["/track", "/batch"])
def test_a_public_key_opens_to_its_pages(path: str) -> None:
    """A page's key is accepted in the URL or a header, but only from pages of its origin."""
    event: object = VALID if path == "/track" else [VALID]
    for query, key in [("?key=public", {}), ("", {"X-Token": "public"})]:
        assert post(shop(), event, path + query, headers={**PAGE, **key}).status_code == 200
        for headers in ({}, {"Origin": OTHER}, {"Origin": "null"}):
            response = post(shop(), event, path + query, headers={**headers, **key})
            assert response.status_code == 403
            assert error_of(response)["code"] == "origin_not_allowed"


@pytest.mark.parametrize(
    "query", ["key=secret", "key=", "key=wrong", "key=public&key=public", "Key=public", ""]
)
def test_no_other_key_opens_in_the_url(query: str) -> None:
    """A service's key in the URL is refused, since URLs are logged on the way."""
    assert post(shop(), VALID, f"/track?{query}", headers=PAGE).status_code == 401


def test_a_public_key_has_a_rate() -> None:
    """A page's key that exceeds its rate is answered 429 with Retry-After."""
    app = shop(max_public_rate=0.001)

    assert post(app, VALID, "/track?key=public", headers=PAGE).status_code == 200
    response = post(app, VALID, "/track?key=public", headers=PAGE)
    assert response.status_code == 429
    assert error_of(response)["retryable"] is True
    assert 900 < int(response.headers["Retry-After"]) <= 1000
    assert post(app, VALID, headers={"X-Token": "secret"}).status_code == 200


def counted(app: Starlette) -> dict[tuple[str, ...], float]:
    """The counters in `/metrics`."""
    response = ask(app, "GET", "/metrics")
    assert response.status_code == 200
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_requests_and_events_are_counted() -> None:
    """Each answer is counted by endpoint and code, and each event by its outcome."""
    app = shop(FailingProducer(NotAcknowledged("late"), first=1))
    keyed = {"X-Token": "secret"}
    post(app, VALID, headers=keyed)
    post(app, VALID)
    post(app, {}, headers=keyed)
    post(app, [VALID, VALID], "/batch", headers=keyed)
    ask(app, "GET", "/nowhere/1")
    ask(app, "GET", "/nowhere/2")

    counts = counted(app)

    requests = "events_ingest_requests_total"
    assert counts[requests, "200", "/track"] == 1
    assert counts[requests, "401", "/track"] == 1
    assert counts[requests, "422", "/track"] == 1
    assert counts[requests, "503", "/batch"] == 1
    assert counts[requests, "404", "other"] == 2
    events = "events_ingest_events_total"
    assert counts[events, "accepted"] == 2
    assert counts[events, "rejected"] == 1
    assert counts[events, "unacknowledged"] == 1


def test_all_requests_are_logged_at_a_share_of_one() -> None:
    """A request's log line has no data about the client: no address, user agent or key."""
    with capture_logs() as logs:
        post(
            shop(access_log=1),
            VALID,
            "/track?key=public",
            headers={**PAGE, "User-Agent": "browser", "X-Request-Id": "id"},
        )

    (line,) = logs
    assert isinstance(line.pop("milliseconds"), float)
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "endpoint": "/track",
        "status": 200,
        "request_id": "id",
    }


def test_the_client_is_logged_only_where_it_is_asked_for() -> None:
    """With `log_clients` a line has the address and user agent, but no key."""
    with capture_logs() as logs:
        post(
            shop(access_log=1, log_clients=True),
            VALID,
            "/track?key=public",
            headers={**PAGE, "User-Agent": "browser"},
        )

    (line,) = logs
    assert (line["client"], line["user_agent"]) == ("127.0.0.1", "browser")
    assert "public" not in str(line)


def test_none_is_logged_at_a_share_of_zero() -> None:
    """Without an access log only internal errors are logged."""
    with capture_logs() as logs:
        post(shop(access_log=0), VALID, "/track?key=public", headers=PAGE)
        post(shop(access_log=0), VALID)

    assert logs == []
