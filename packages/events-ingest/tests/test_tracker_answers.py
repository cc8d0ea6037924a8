"""What the tracker makes of a collector's answers: a real Chromium, and answers by script.

The page's clock is the test's: the tracker waits for it, and no test waits for the tracker.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http import HTTPMethod
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from browser import KEY, NO_STORAGE, Site, new_app, serving, stats, visit, wait_for
from events_ingest.receipt import Window
from events_ingest.tracker import tracker_script
from events_ingest.web import FOLDER
from events_loadgen.ports import free_port

LONGEST_BACK_OFF = 60.0
IN_FLIGHT_BYTES = 60 * 1024
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""As the browser does when another tab comes to the front; a headless one has no front."""

Answer = Callable[[list[str]], Response]


@dataclass(frozen=True)
class Received:
    """A request, as the collector has it."""

    ids: list[str]
    sent_at: datetime
    """By the page's clock."""
    size: int
    content_type: str
    query: dict[str, str]


@dataclass
class Collector:
    """Answers as its script says, one after the other; after its end it takes everything."""

    port: int = field(default_factory=free_port)
    script: list[Answer | None] = field(default_factory=list)
    """None is no answer."""
    requests: list[Received] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    largest: int = 1_000_000
    """How many events a batch may have."""

    def __post_init__(self) -> None:
        self.site = Site(f"http://127.0.0.1:{self.port}")

    def app(self) -> Starlette:
        """Return the application."""
        script = tracker_script(Window(timedelta(days=7), timedelta(minutes=5)))
        return Starlette(
            routes=[
                Route("/tracker.js", lambda _: Response(script, media_type="text/javascript")),
                Route("/batch", self._answer, methods=list(HTTPMethod)),
            ]
        )

    async def _answer(self, request: Request) -> Response:
        self.methods.add(request.method)
        body = await request.body()
        batch = json.loads(body)
        ids = [each["event_id"] for each in batch["events"]]
        self.requests.append(
            Received(
                ids,
                datetime.fromisoformat(batch["sent_at"]),
                len(body),
                request.headers["Content-Type"],
                dict(request.query_params),
            )
        )
        answer = self.script.pop(0) if self.script else take
        while answer is None:
            if await request.is_disconnected():
                return Response()
            await asyncio.sleep(0.02)
        response = refuse(413)(ids) if len(ids) > self.largest else answer(ids)
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        return response


def take(ids: list[str], rejected: int = 0) -> Response:
    """Take a batch, but for its first events."""
    wrong = [{"field": "user_id", "message": "wrong"}]
    return JSONResponse(
        {
            "accepted": len(ids) - rejected,
            "event_ids": ids[rejected:],
            "rejected": [{"index": index, "errors": wrong} for index in range(rejected)],
        }
    )


def refuse(status: int, retry_after: str | None = None, acknowledged: int = 0) -> Answer:
    """Refuse a batch, but for its first events, which are acknowledged."""

    def answer(ids: list[str]) -> Response:
        content: dict[str, Any] = {"error": {"message": "no"}}
        if acknowledged:
            content["acknowledged"] = [{"event_id": each} for each in ids[:acknowledged]]
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return JSONResponse(content, status, headers)

    return answer


def _page(status: int, _: list[str]) -> Response:
    return HTMLResponse("<p>Please log in.", status)


NO_ANSWERS: dict[str, Answer] = {
    **{str(status): refuse(status) for status in (404, 408, 429, 500, 501, 502, 503, 504, 599)},
    "page of a hotel": lambda _: HTMLResponse("<p>Welcome. Please log in."),
    "empty": lambda _: Response(),
    "null": lambda _: JSONResponse(None),
    "list": lambda _: JSONResponse([]),
    "no ids": lambda _: JSONResponse({"detail": "ok"}),
    **{
        f"{status} page": partial(_page, status)
        for status in (400, 401, 403, 422, 503)  # of a proxy, which knows nothing of events
    },
}
"""What says nothing of the events, or that they should come again."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that takes everything until it is told otherwise."""
    collector = Collector()
    with serving(collector.app(), collector.port), collector.site.running():
        yield collector


@pytest.fixture
def page(context: BrowserContext, collector: Collector) -> Page:
    """A tracked page, of a user that is known, which waits for `forward`."""
    return open_page(context, collector, new_app())


def open_page(
    context: BrowserContext,
    collector: Collector,
    app: str,
    host: str = "localhost",
    script: str | None = None,
) -> Page:
    """Open a page, after `script`, whose clock goes by `forward`."""
    context.clock.install()
    url = collector.site.url(app, host, query='data=data-auto="false"')
    return visit(context, url, script=script)


def track(page: Page, count: int, text: str = "") -> None:
    """Track `count` events at once."""
    page.evaluate("([n, t]) => { while (n--) events.track('c', t || null) }", [count, text])


def forward(page: Page, condition: Callable[[], bool], step: float = 1.0) -> None:
    """Turn the page's clock, `step` seconds at a time, until the condition holds."""

    def turned() -> bool:
        page.clock.fast_forward(round(step * 1000))
        return condition()

    wait_for(turned, "what the page should do")


def pause(page: Page) -> None:
    """Stop the page's clock, and see what the page does at its start to its end."""
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 5"))
    wait_until_idle(page)


def wait_until_idle(page: Page) -> None:
    """Wait until the page sends nothing: it has a lock while it does, where there are locks."""
    locked = """async () => {
      const locks = await navigator.locks?.query();
      return locks ? locks.held.length + locks.pending.length : 0;
    }"""
    wait_for(lambda: page.evaluate(locked) == 0, "an idle page")


def kept(page: Page) -> int:
    """How many events the page keeps."""
    return int(stats(page)["queued"])


def gaps(collector: Collector) -> list[float]:
    """How many seconds of the page's clock lie between its requests.

    After a 408 Chromium itself sends the same request again, at once.
    """
    times = list(dict.fromkeys(each.sent_at for each in collector.requests))
    return [(late - early).total_seconds() for early, late in itertools.pairwise(times)]


def test_what_is_no_answer_is_sent_again(page: Page, collector: Collector) -> None:
    """The same event comes again, with the back-off doubled up to a minute, until it is taken."""
    collector.script += NO_ANSWERS.values()
    track(page, 1)
    forward(page, lambda: kept(page) == 0, step=5)

    assert len(collector.requests) == len(NO_ANSWERS) + 1
    assert len({tuple(each.ids) for each in collector.requests}) == 1
    assert stats(page)["sent"] == 1
    assert set(stats(page)["dropped"].values()) == {0}
    for turn, gap in enumerate(gaps(collector)):
        assert gap >= min(2**turn, LONGEST_BACK_OFF) / 2
        assert gap < LONGEST_BACK_OFF + 10


def test_after_an_answer_the_back_off_starts_anew(page: Page, collector: Collector) -> None:
    """What failed before the last success makes nobody wait."""
    collector.script += [refuse(503)] * 5
    track(page, 1)
    forward(page, lambda: kept(page) == 0, step=5)
    collector.script.append(refuse(503))
    track(page, 1)
    forward(page, lambda: kept(page) == 0)

    assert gaps(collector)[-1] < 4


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_what_is_refused_for_good_is_given_up(
    page: Page, collector: Collector, status: int
) -> None:
    """It is counted and told; the next events are sent as ever."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    collector.script.append(refuse(status))
    track(page, 2)
    forward(page, lambda: kept(page) == 0)
    track(page, 1)
    forward(page, lambda: kept(page) == 0)

    assert [len(each.ids) for each in collector.requests] == [2, 1]
    assert (stats(page)["sent"], stats(page)["dropped"]["refused"]) == (1, 2)
    assert f"events: 2 events are refused: {status} no" in said


def test_a_batch_that_is_too_large_is_halved(page: Page, collector: Collector) -> None:
    """On 413 all its events come again in smaller ones, and each is taken once."""
    collector.largest = 3
    track(page, 20)
    forward(page, lambda: kept(page) == 0)
    accepted = [each for one in collector.requests if len(one.ids) <= 3 for each in one.ids]

    assert [len(each.ids) for each in collector.requests][:4] == [20, 10, 5, 2]
    assert len(accepted) == len(set(accepted)) == 20
    assert stats(page)["sent"] == 20


def test_an_event_that_is_too_large_is_given_up(page: Page, collector: Collector) -> None:
    """413 for it alone is final; it holds nothing up."""
    collector.script += [refuse(413)] * 3
    track(page, 4)
    forward(page, lambda: kept(page) == 0)

    assert [len(each.ids) for each in collector.requests][:3] == [4, 2, 1]
    assert (stats(page)["sent"], stats(page)["dropped"]["refused"]) == (3, 1)


def test_what_a_good_batch_has_rejected_is_given_up(page: Page, collector: Collector) -> None:
    """200 with some events rejected settles all of them."""
    collector.script.append(partial(take, rejected=2))
    track(page, 5)
    forward(page, lambda: kept(page) == 0)

    assert (stats(page)["sent"], stats(page)["dropped"]["refused"]) == (3, 2)
    assert len(collector.requests) == 1


def test_what_a_503_has_acknowledged_is_not_sent_again(page: Page, collector: Collector) -> None:
    """Of a batch that was taken in part, the rest comes again."""
    collector.script.append(refuse(503, acknowledged=3))
    track(page, 5)
    forward(page, lambda: kept(page) == 0)

    first, second = collector.requests
    assert second.ids == first.ids[3:]
    assert stats(page)["sent"] == 5


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120), ("86400", 3600), (None, 120)],
    ids=["seconds", "a day", "date"],
)
def test_retry_after_is_honoured(
    page: Page, collector: Collector, said: str | None, seconds: int
) -> None:
    """Nothing is sent before, be it a fresh event, a network that is back, or a page that hides.

    An hour is the most that it waits.
    """
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds + 5), usegmt=True)
    collector.script.append(refuse(503, retry_after=said or date))
    track(page, 60)
    forward(page, lambda: len(collector.requests) == 1 and kept(page) == 60)
    track(page, 60)
    page.evaluate("dispatchEvent(new Event('online'))")
    for hidden in (True, False):
        page.evaluate(HIDE, hidden)
    forward(page, lambda: kept(page) == 0, step=seconds / 30)

    assert gaps(collector)[0] >= seconds - 1
    assert gaps(collector)[0] < seconds * 1.1 + 30


@pytest.mark.parametrize("said", ["soon", "-5", "", "0"])
def test_a_retry_after_that_says_nothing_is_ignored(
    page: Page, collector: Collector, said: str
) -> None:
    """The ordinary back-off holds."""
    collector.script.append(refuse(429, retry_after=said))
    track(page, 1)
    forward(page, lambda: kept(page) == 0)

    assert 0.5 <= gaps(collector)[0] < 4


def test_a_network_that_is_back_is_used_at_once(page: Page, collector: Collector) -> None:
    """`online` ends a back-off."""
    collector.script += [refuse(503)] * 8
    track(page, 1)
    forward(page, lambda: len(collector.requests) == 8, step=5)
    wait_until_idle(page)
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_for(lambda: kept(page) == 0, "the last request")

    assert len(collector.requests) == 9


def test_requests_need_no_preflight(page: Page, collector: Collector) -> None:
    """The key goes by the URL, and the body as text."""
    track(page, 1)
    forward(page, lambda: kept(page) == 0)
    (received,) = collector.requests

    assert collector.methods == {"POST"}
    assert received.query == {"key": KEY}
    assert received.content_type.startswith("text/plain")


def test_a_hidden_page_sends_at_once(page: Page, collector: Collector) -> None:
    """It does not wait for the batch's time, and takes the answer if it is still there."""
    track(page, 3)
    page.evaluate(HIDE, True)  # JavaScript's argument
    wait_for(lambda: kept(page) == 0, "an answer")

    assert [len(each.ids) for each in collector.requests] == [3]


@pytest.mark.parametrize("how", ["hidden", "closed", "left"])
def test_what_a_leaving_page_has_in_flight_is_bounded(
    context: BrowserContext, page: Page, collector: Collector, how: str
) -> None:
    """At most 60 KiB, in all its requests; the rest is kept, and no event is sent by two."""
    collector.script += [None] * 5
    track(page, 50, text="ä" * 256)
    track(page, 70, text="ä" * 256)
    wait_for(lambda: bool(collector.requests), "a batch on its way")  # 50 events do not wait
    if how == "hidden":
        page.evaluate(HIDE, True)
    elif how == "closed":
        page.close()
    else:
        page.goto(collector.site.url("none"))
    wait_for(lambda: len(collector.requests) == 2, "what the page sends as it goes")
    flown = [each for one in collector.requests for each in one.ids]

    assert sum(each.size for each in collector.requests) <= IN_FLIGHT_BYTES
    assert sum(each.size for each in collector.requests) > IN_FLIGHT_BYTES - 1500
    assert len(flown) == len(set(flown))
    assert len(context.pages) == (how != "closed")


def test_what_an_answer_never_came_for_is_sent_by_the_next_page(
    context: BrowserContext, collector: Collector
) -> None:
    """A tab that is closed takes nothing with it: `sendBeacon` is no answer."""
    app = new_app()
    page = open_page(context, collector, app)
    collector.script.append(None)
    track(page, 3)
    page.close()
    wait_for(lambda: len(collector.requests) == 1, "the beacon")
    page = open_page(context, collector, app)
    forward(page, lambda: kept(page) == 0)

    first, second = collector.requests
    assert first.ids == second.ids
    assert stats(page)["sent"] == 3


LEASE = """([collector, ahead]) => {
  const kept = Object.keys(localStorage).filter((key) => key.includes(" event "));
  const ids = kept.map((key) => key.split(" ").at(-1));
  const lease = { at: Date.now() + ahead, ids };
  localStorage.setItem(`events ${collector}/batch lease x`, JSON.stringify(lease));
}"""
"""Another tab takes all that is kept."""


@pytest.mark.parametrize(("ahead", "seconds"), [(0, 35), (-36_000, 0), (3_600_000, 0)])
def test_what_another_tab_has_on_its_way_waits(
    page: Page, collector: Collector, ahead: int, seconds: int
) -> None:
    """Until that tab has an answer; should it end without one, for 35 s of whatever clock."""
    track(page, 2)
    page.evaluate(LEASE, [collector.site.collector, ahead])
    before = page.evaluate("Date.now()")
    forward(page, lambda: kept(page) == 0)

    (received,) = collector.requests
    waited = received.sent_at.timestamp() - before / 1000
    assert seconds <= waited < seconds + 25


def test_what_waits_for_another_tab_costs_nothing(page: Page, collector: Collector) -> None:
    """The page looks again every few seconds, also after a failure, and not all the time."""
    collector.script.append(refuse(503))
    pause(page)
    track(page, 1)
    page.clock.run_for(1000)
    wait_for(lambda: len(collector.requests) == 1, "the first request")
    page.evaluate(LEASE, [collector.site.collector, 20_000])
    page.evaluate(
        """() => {
          window.asked = 0;
          const request = navigator.locks.request;
          navigator.locks.request = function (...given) {
            asked++;
            return request.apply(this, given);
          };
        }"""
    )
    page.clock.resume()
    before = page.evaluate("performance.now()")
    forward(page, lambda: page.evaluate("performance.now()") > before + 40_000)

    assert len(collector.requests) == 1
    assert 1 <= page.evaluate("asked") < 15


@pytest.mark.parametrize("storage", [None, NO_STORAGE], ids=["stored", "in memory"])
@pytest.mark.parametrize("closing", [True, False])
def test_the_pause_before_a_request_hides_nothing(
    context: BrowserContext, collector: Collector, storage: str | None, *, closing: bool
) -> None:
    """Where there are no locks, a page that ends in it sends all, one that opts out nothing."""
    page = open_page(context, collector, new_app(), "shop.example", storage)
    pause(page)
    track(page, 3)
    page.clock.run_for(1050)
    if closing:
        page.close()
        wait_for(lambda: bool(collector.requests), "the beacon")
        assert [len(each.ids) for each in collector.requests] == [3]
    else:
        page.evaluate("events.optOut()")
        page.clock.run_for(60_000)
        assert kept(page) == 0
        assert collector.requests == []


def test_a_lock_that_is_taken_away_stops_nothing(
    context: BrowserContext, collector: Collector
) -> None:
    """Some browsers do so with pages that they keep for "back"."""
    taken_away = """
        navigator.locks.request = () => Promise.reject(new DOMException("gone", "AbortError"))
    """
    said: list[str] = []
    context.on("weberror", lambda error: said.append(str(error.error)))
    page = open_page(context, collector, new_app(), script=taken_away)
    track(page, 2)
    forward(page, lambda: kept(page) == 0)

    assert stats(page)["sent"] == 2
    assert said == []


def test_an_answer_that_does_not_come_is_not_awaited(page: Page, collector: Collector) -> None:
    """After 30 s the events are sent again."""
    collector.script.append(None)
    track(page, 2)
    forward(page, lambda: kept(page) == 0)

    first, second = collector.requests
    assert first.ids == second.ids
    assert 30 <= gaps(collector)[0] < 50


def test_a_clock_that_is_set_back_holds_nothing_up(page: Page, collector: Collector) -> None:
    """A back-off is a time that passes, and not a time of day."""
    collector.script.append(refuse(503))
    pause(page)
    track(page, 1)
    page.clock.run_for(1000)
    wait_for(lambda: len(collector.requests) == 1, "the first request")
    wait_until_idle(page)
    page.clock.set_system_time(page.evaluate("Date.now() / 1000 - 3600"))
    before = page.evaluate("performance.now()")
    forward(page, lambda: kept(page) == 0)

    assert page.evaluate("performance.now()") - before < 60_000


def test_batches_that_fail_together_are_one_failure(page: Page, collector: Collector) -> None:
    """A page that hides while the collector is away waits no longer than for one of them."""
    collector.script += [refuse(503)] * 5
    pause(page)
    page.evaluate(
        f"""() => {{
          window.answers = 0;
          addEventListener("events:answer", () => answers++);
          for (let n = 0; n < 250; n++) events.track("c");
          ({HIDE})(true);
        }}"""
    )
    wait_for(lambda: page.evaluate("answers") == 5, "the answers to all batches")
    page.evaluate(HIDE, False)
    forward(page, lambda: kept(page) == 0)

    assert gaps(collector)[0] < 6


def test_a_dead_tabs_lock_is_free(context: BrowserContext, collector: Collector) -> None:
    """A tab that ends while its request hangs holds up no other tab's events."""
    app = new_app()
    pages = [open_page(context, collector, app) for _ in range(2)]
    collector.script += [None, None]
    track(pages[0], 1)
    forward(pages[0], lambda: bool(collector.requests))
    track(pages[1], 1)
    pages[0].close()
    forward(pages[1], lambda: kept(pages[1]) == 0)

    assert stats(pages[1])["sent"] == 2


def test_garbage_in_storage_is_cleared(page: Page, collector: Collector) -> None:
    """What no tracker wrote costs nothing but itself."""
    page.evaluate(
        """collector => {
          for (const [n, text] of ["{", "null", "[]", "7", '"x"', "{}"].entries())
            for (const kind of ["event", "lease"])
              localStorage.setItem(`events ${collector}/batch ${kind} ${n}`, text);
          localStorage.setItem(`events ${collector}/batch user`, "{");
        }""",
        collector.site.collector,
    )
    page.evaluate("events.identify(3)")
    track(page, 1)
    forward(page, lambda: kept(page) == 0)

    assert stats(page)["sent"] == 1
    assert len(collector.requests[-1].ids) == 1
    assert page.evaluate("Object.keys(localStorage).length") == 1


def test_no_page_is_kept_from_the_back_forward_cache() -> None:
    """A handler of `unload` or `beforeunload` would; there is none."""
    assert not re.search(r"[\"'](before)?unload", (FOLDER / "tracker.js").read_text("utf-8"))
