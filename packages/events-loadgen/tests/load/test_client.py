"""Tests of posting events to servers that do not always accept them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from events_loadgen import Report, RetryPolicy, classic_events, free_port, post_events

QUICK = RetryPolicy(give_up_after=20, first_wait=0.001, longest_wait=0.01)
Answer = Callable[[dict[str, Any], int], web.Response | None]


class Collector:
    """A server that acknowledges events unless `answer` returns another response.

    `answer` gets the event and how many times it was posted before.
    """

    def __init__(self, answer: Answer = lambda _event, _before: None) -> None:
        self.tries: Counter[str] = Counter()
        self.events: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._answer = answer

    async def track(self, request: web.Request) -> web.Response:
        """Answer one event."""
        self.in_flight += 1
        self.most_in_flight = max(self.in_flight, self.most_in_flight)
        event = await request.json()
        await asyncio.sleep(0)
        self.in_flight -= 1
        self.headers.append(dict(request.headers))
        self.events.append(event)
        before = self.tries[event["event_id"]]
        self.tries[event["event_id"]] += 1
        return self._answer(event, before) or web.json_response(
            {"detail": "Event created", "event_id": event["event_id"]}
        )

    @asynccontextmanager
    async def serve(self, port: int | None = None) -> AsyncIterator[str]:
        """Serve on a port of 127.0.0.1; yield the address."""
        application = web.Application()
        application.router.add_post("/track", self.track)
        async with TestServer(application, port=port or free_port()) as server:
            yield str(server.make_url("/"))


def post(collector: Collector, events: int = 30, **options: Any) -> Report:
    """Post generated events to `collector`."""

    async def run() -> Report:
        async with collector.serve() as url:
            settings = {"retries": QUICK, "concurrency": 4, **options}
            return await post_events(classic_events(events, seed=3), url=url, **settings)

    return asyncio.run(run())


def test_every_event_arrives_once_with_the_key() -> None:
    """Each event is posted unchanged, and the report lists the acknowledged ids."""
    collector = Collector()
    report = post(collector, token="secret", keep_ids=True)
    expected = {event["event_id"]: event for event in classic_events(30, seed=3)}
    assert {event["event_id"]: event for event in collector.events} == expected
    assert sorted(report.acknowledged_ids) == sorted(expected)
    assert (report.acknowledged, report.retries, report.sent) == (30, 0, 30)
    assert {headers["X-Token"] for headers in collector.headers} == {"secret"}
    assert {headers["Content-Type"] for headers in collector.headers} == {"application/json"}


def test_no_more_clients_than_asked_for() -> None:
    """At most `concurrency` requests are in flight, and that number is reached."""
    collector = Collector()
    post(collector, events=200, concurrency=3)
    assert collector.most_in_flight == 3


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_an_event_is_tried_again_with_its_id(status: int) -> None:
    """An event is retried with the same id until it is acknowledged."""

    def answer(event: dict[str, Any], before: int) -> web.Response | None:
        return web.Response(status=status) if before < 2 else None

    collector = Collector(answer)
    report = post(collector)
    assert report.acknowledged == 30
    assert report.retries == 60
    assert set(collector.tries.values()) == {3}
    assert report.last_failure == f"status {status}"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 413, 422])
def test_a_refused_event_is_not_tried_again(status: int) -> None:
    """Refused events are counted by status, with the server's first refusal."""

    def answer(event: dict[str, Any], before: int) -> web.Response | None:
        return web.Response(status=status, text="no\nand no") if event["user_id"] == 1 else None

    collector = Collector(answer)
    report = post(collector)
    refused = sum(event["user_id"] == 1 for event in classic_events(30, seed=3))
    assert report.refused == {status: refused}
    assert report.first_refusal == f"{status} no and no"
    assert report.acknowledged == 30 - refused
    assert set(collector.tries.values()) == {1}


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"event_id": "another"}'])
def test_another_servers_200_acknowledges_nothing(body: str) -> None:
    """Only an answer that contains the event's id counts."""
    report = post(Collector(lambda _event, _before: web.Response(text=body)))
    assert report.acknowledged == 0
    assert report.refused == {200: 30}


def test_retry_after_is_honoured() -> None:
    """If the server asks for more time than an event has left, the event is given up at once."""
    collector = Collector(
        lambda _event, _before: web.Response(status=503, headers={"Retry-After": "60"})
    )
    report = post(collector)
    assert (report.given_up, report.retries) == (30, 0)
    assert set(collector.tries.values()) == {1}


def test_an_event_is_given_up_after_its_time() -> None:
    """A client gives up an event that the server never accepts."""
    collector = Collector(lambda _event, _before: web.Response(status=503))
    report = post(collector, events=3, retries=RetryPolicy(0.3, first_wait=0.01))
    assert (report.given_up, report.acknowledged) == (3, 0)
    assert report.retries > 0


def test_a_server_that_comes_up_later_gets_every_event() -> None:
    """Events are retried after network errors too."""

    async def run() -> Report:
        collector, port = Collector(), free_port()
        failed = asyncio.Event()

        class Noticing(RetryPolicy):
            def wait(self, tries: int, retry_after: float = 0.0) -> float:
                failed.set()
                return super().wait(tries, retry_after)

        posting = asyncio.ensure_future(
            post_events(
                classic_events(20, seed=3),
                url=f"http://127.0.0.1:{port}",
                retries=Noticing(20, 0.01, 0.05),
            )
        )
        await asyncio.wait_for(failed.wait(), 10)
        async with collector.serve(port):
            return await posting

    report = asyncio.run(run())
    assert report.acknowledged == 20
    assert report.retries > 0


def test_a_stop_starts_no_new_events() -> None:
    """After a stop, requests in flight are finished and no more events are sent."""
    stop = asyncio.Event()

    def answer(event: dict[str, Any], before: int) -> web.Response | None:
        stop.set()
        return None

    report = post(Collector(answer), events=100_000, stop=stop)
    assert 1 <= report.acknowledged == report.sent <= 100


def test_a_stop_gives_up_events_that_wait_for_a_retry() -> None:
    """A stop ends the waits between retries at once."""
    stop = asyncio.Event()

    def answer(event: dict[str, Any], before: int) -> web.Response | None:
        stop.set()
        return web.Response(status=503, headers={"Retry-After": "5"})

    report = post(Collector(answer), events=100, stop=stop)
    assert 1 <= report.given_up == report.sent <= 4


def test_progress_is_reported_for_each_event() -> None:
    """`on_event` is called once for each event, acknowledged or refused."""
    calls: Iterator[int] = iter(range(1000))
    post(
        Collector(lambda event, _: web.Response(status=400) if event["user_id"] == 2 else None),
        on_event=lambda: next(calls),
    )
    assert next(calls) == 30
