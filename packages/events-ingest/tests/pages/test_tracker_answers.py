"""How the tracker handles a collector's answers, in a real Chromium with scripted answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest
from playwright.sync_api import Page
from starlette.responses import HTMLResponse, JSONResponse, Response

from ingest_support.browser import KEY, stats, wait_for
from ingest_support.page_clock import HIDE, forward, kept, pause, track, wait_until_idle
from ingest_support.scripted_collector import Answer, Collector, refuse, take

pytestmark = pytest.mark.extended

LONGEST_BACK_OFF = 60.0


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
        for status in (400, 401, 403, 422, 503)  # from a proxy, which knows nothing about events
    },
}
"""Answers that say nothing about the events, or that ask to send them again."""


def test_what_is_no_answer_is_sent_again(page: Page, collector: Collector) -> None:
    """The same event is sent again, with a backoff that doubles up to a minute, until accepted."""
    collector.script += NO_ANSWERS.values()
    track(page, 1)
    forward(page, lambda: kept(page) == 0, step=5)

    assert len(collector.requests) == len(NO_ANSWERS) + 1
    assert len({tuple(each.ids) for each in collector.requests}) == 1
    assert stats(page)["sent"] == 1
    assert set(stats(page)["dropped"].values()) == {0}
    for turn, gap in enumerate(collector.gaps()):
        assert gap >= min(2**turn, LONGEST_BACK_OFF) / 2
        assert gap < LONGEST_BACK_OFF + 10


def test_after_an_answer_the_back_off_starts_anew(page: Page, collector: Collector) -> None:
    """After a success, earlier failures do not delay anything."""
    collector.script += [refuse(503)] * 5
    track(page, 1)
    forward(page, lambda: kept(page) == 0, step=5)
    collector.script.append(refuse(503))
    track(page, 1)
    forward(page, lambda: kept(page) == 0)

    assert collector.gaps()[-1] < 4


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_what_is_refused_for_good_is_given_up(
    page: Page, collector: Collector, status: int
) -> None:
    """Events that are refused for good are counted and reported; later events are sent as usual."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    collector.script.append(refuse(status))
    track(page, 2)
    forward(page, lambda: kept(page) == 0)
    track(page, 1)
    forward(page, lambda: kept(page) == 0)

    assert [len(each.ids) for each in collector.requests] == [2, 1]
    assert (stats(page)["sent"], stats(page)["dropped"]["refused"]) == (1, 2)
    assert f"events: 2 events were refused: {status} no" in said


def test_a_batch_that_is_too_large_is_halved(page: Page, collector: Collector) -> None:
    """After a 413, all its events are sent again in smaller batches, and each is accepted once."""
    collector.largest = 3
    track(page, 20)
    forward(page, lambda: kept(page) == 0)
    accepted = [each for one in collector.requests if len(one.ids) <= 3 for each in one.ids]

    assert [len(each.ids) for each in collector.requests][:4] == [20, 10, 5, 2]
    assert len(accepted) == len(set(accepted)) == 20
    assert stats(page)["sent"] == 20


def test_an_event_that_is_too_large_is_given_up(page: Page, collector: Collector) -> None:
    """A 413 for a single event is final, and does not delay other events."""
    collector.script += [refuse(413)] * 3
    track(page, 4)
    forward(page, lambda: kept(page) == 0)

    assert [len(each.ids) for each in collector.requests][:3] == [4, 2, 1]
    assert (stats(page)["sent"], stats(page)["dropped"]["refused"]) == (3, 1)


def test_what_a_good_batch_has_rejected_is_given_up(page: Page, collector: Collector) -> None:
    """A 200 with some rejected events settles all events of the batch."""
    collector.script.append(partial(take, rejected=2))
    track(page, 5)
    forward(page, lambda: kept(page) == 0)

    assert (stats(page)["sent"], stats(page)["dropped"]["refused"]) == (3, 2)
    assert len(collector.requests) == 1


def test_what_a_503_has_acknowledged_is_not_sent_again(page: Page, collector: Collector) -> None:
    """If a batch was stored in part, only the rest is sent again."""
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
    """Nothing is sent before, even after a new event, a network change or a hidden page.

    The tracker waits at most an hour.
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

    assert collector.gaps()[0] >= seconds - 1
    assert collector.gaps()[0] < seconds * 1.1 + 30


@pytest.mark.parametrize("said", ["soon", "-5", "", "0"])
def test_a_retry_after_that_says_nothing_is_ignored(
    page: Page, collector: Collector, said: str
) -> None:
    """An invalid Retry-After is ignored, and the usual backoff applies."""
    collector.script.append(refuse(429, retry_after=said))
    track(page, 1)
    forward(page, lambda: kept(page) == 0)

    assert 0.5 <= collector.gaps()[0] < 4


def test_a_network_that_is_back_is_used_at_once(page: Page, collector: Collector) -> None:
    """`online` ends a backoff."""
    collector.script += [refuse(503)] * 8
    track(page, 1)
    forward(page, lambda: len(collector.requests) == 8, step=5)
    wait_until_idle(page)
    pause(page)  # no back-off ends while the clock stands
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_for(lambda: kept(page) == 0, "the last request")

    assert len(collector.requests) == 9


def test_requests_need_no_preflight(page: Page, collector: Collector) -> None:
    """The key is in the URL, and the body is text, so requests need no preflight."""
    track(page, 1)
    forward(page, lambda: kept(page) == 0)
    (received,) = collector.requests

    assert collector.methods == {"POST"}
    assert received.query == {"key": KEY}
    assert received.content_type.startswith("text/plain")


def test_an_answer_that_does_not_come_is_not_awaited(page: Page, collector: Collector) -> None:
    """After 30 s without an answer, the events are sent again."""
    collector.script.append(None)
    track(page, 2)
    forward(page, lambda: kept(page) == 0)

    first, second = collector.requests
    assert first.ids == second.ids
    assert 30 <= collector.gaps()[0] < 50


def test_a_clock_that_is_set_back_holds_nothing_up(failed_page: Page) -> None:
    """A backoff does not depend on the time of day."""
    failed_page.clock.set_system_time(failed_page.evaluate("Date.now() / 1000 - 3600"))
    before = failed_page.evaluate("performance.now()")
    forward(failed_page, lambda: kept(failed_page) == 0)

    assert failed_page.evaluate("performance.now()") - before < 60_000


def test_batches_that_fail_together_are_one_failure(page: Page, collector: Collector) -> None:
    """Batches that fail together count as one failure, such as those of a page that hides."""
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

    assert collector.gaps()[0] < 6
