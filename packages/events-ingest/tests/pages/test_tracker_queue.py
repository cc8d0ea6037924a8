"""The tracker's queue: pages that close, tabs that share it, and problems with storage."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page

from ingest_support.browser import NO_STORAGE, new_app, stats, wait_for
from ingest_support.page_clock import HIDE, forward, kept, open_page, pause, track
from ingest_support.scripted_collector import Collector

pytestmark = pytest.mark.extended

IN_FLIGHT_BYTES = 60 * 1024


def test_a_hidden_page_sends_at_once(page: Page, collector: Collector) -> None:
    """A hidden page sends at once, and handles the answer if it still exists."""
    track(page, 3)
    page.evaluate(HIDE, True)  # JavaScript's argument
    wait_for(lambda: kept(page) == 0, "an answer")

    assert [len(each.ids) for each in collector.requests] == [3]


@pytest.mark.parametrize("how", ["hidden", "closed", "left"])
def test_what_a_leaving_page_has_in_flight_is_bounded(
    context: BrowserContext, page: Page, collector: Collector, how: str
) -> None:
    """A leaving page sends at most 60 KiB in all its requests; the rest is kept for later."""
    collector.script += [None] * 5
    track(page, 50, text="ä" * 256)
    track(page, 70, text="ä" * 256)
    wait_for(lambda: bool(collector.requests), "a batch in flight")  # 50 events are sent at once
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
    """Events of a closed tab are not lost, since `sendBeacon` is not an acknowledgement.

    The next page sends them at once, without waiting as for another tab's events.
    """
    app = new_app()
    page = open_page(context, collector.site, app)
    collector.script.append(None)
    track(page, 3)
    page.close()
    wait_for(lambda: len(collector.requests) == 1, "the beacon")
    page = open_page(context, collector.site, app)
    forward(page, lambda: kept(page) == 0)

    first, second = collector.requests
    assert first.ids == second.ids
    assert collector.gaps()[0] < 30
    assert stats(page)["sent"] == 3


LEASE = """([collector, ahead]) => {
  const kept = Object.keys(localStorage).filter((key) => key.includes(" event "));
  const ids = kept.map((key) => key.split(" ").at(-1));
  const lease = { at: Date.now() + ahead, ids };
  localStorage.setItem(`events ${collector}/batch lease x`, JSON.stringify(lease));
}"""
"""Another tab leases all kept events."""


@pytest.mark.parametrize(("ahead", "seconds"), [(0, 35), (-36_000, 0), (3_600_000, 0)])
def test_what_another_tab_has_on_its_way_waits(
    page: Page, collector: Collector, ahead: int, seconds: int
) -> None:
    """Events leased by another tab wait for its answer, or for 35 s if it closes."""
    track(page, 2)
    page.evaluate(LEASE, [collector.site.collector, ahead])
    before = page.evaluate("Date.now()")
    forward(page, lambda: kept(page) == 0)

    (received,) = collector.requests
    waited = received.sent_at.timestamp() - before / 1000
    assert seconds <= waited < seconds + 25


def test_what_waits_for_another_tab_costs_nothing(failed_page: Page, collector: Collector) -> None:
    """The page checks again every few seconds, even after a failure, but not all the time."""
    page = failed_page
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
    """Without locks, a page that ends during the pause sends all; one that opts out, nothing."""
    page = open_page(context, collector.site, new_app(), "shop.example", storage)
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
    """Losing a lock stops nothing: some browsers take it from pages in the back/forward cache."""
    taken_away = """
        navigator.locks.request = () => Promise.reject(new DOMException("gone", "AbortError"))
    """
    said: list[str] = []
    context.on("weberror", lambda error: said.append(str(error.error)))
    page = open_page(context, collector.site, new_app(), script=taken_away)
    track(page, 2)
    forward(page, lambda: kept(page) == 0)

    assert stats(page)["sent"] == 2
    assert said == []


def test_a_dead_tabs_lock_is_free(context: BrowserContext, collector: Collector) -> None:
    """A tab that closes during a request does not block other tabs."""
    app = new_app()
    pages = [open_page(context, collector.site, app) for _ in range(2)]
    collector.script += [None, None]
    track(pages[0], 1)
    forward(pages[0], lambda: bool(collector.requests))
    track(pages[1], 1)
    pages[0].close()
    forward(pages[1], lambda: kept(pages[1]) == 0)

    assert stats(pages[1])["sent"] == 2


def test_garbage_in_storage_is_cleared(page: Page, collector: Collector) -> None:
    """Invalid entries in storage are removed, and nothing else is."""
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
