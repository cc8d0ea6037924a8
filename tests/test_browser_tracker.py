"""Tests of the tracker in a real Chromium, with a real collector and a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page

from ingest_support.browser import (
    KEY,
    NO_STORAGE,
    USER,
    Tracking,
    brief,
    new_app,
    next_answer,
    once,
    stats,
    tracking,
    visit,
    wait_for,
    wait_until_sent,
)
from ingest_support.contracts import SHOP
from line_support.topics import Topics

pytestmark = pytest.mark.extended

INSECURE = "shop.example"
"""A plain HTTP host other than localhost, without `crypto.randomUUID` and `navigator.locks`."""
QUOTA_FULL = """
    for (let size = 1 << 22; size >= 1; size >>= 1) {
      try { for (let n = 0; ; n++) localStorage.setItem(`x${size}-${n}`, "x".repeat(size)) }
      catch {}
    }
"""
CLOCK = """
    const Right = Date, ahead = %d;
    Date = class extends Right {
      constructor(...given) { super(...(given.length ? given : [Right.now() + ahead])) }
      static now() { return Right.now() + ahead }
    }
"""
DO_NOT_TRACK = "Object.defineProperty(navigator, 'doNotTrack', { get: () => '1' })"
PRIVACY_CONTROL = "Object.defineProperty(navigator, 'globalPrivacyControl', { get: () => true })"
WEEK = 7 * 86400


@pytest.fixture(scope="module", autouse=True)
def collector(tracked: Tracking) -> Iterator[str]:
    """A collector for all tests in this module, with one worker and default settings."""
    with tracked.collector() as url:
        yield url


@pytest.mark.core
def test_every_kind_of_event_arrives_once(context: BrowserContext, tracked: Tracking) -> None:
    """Views, clicks, scrolling and the page's own events are on the topic in order."""
    app, before = new_app(), datetime.now(UTC)
    page = visit(context, tracked.site.url(app))
    page.click("#one")
    page.click("#nested b")
    page.click("#empty")
    page.evaluate("events.track('search', 'query', -3)")
    page.evaluate("events.track('bare', null, null)")
    page.evaluate("scrollTo(0, 1e6)")
    wait_for(lambda: stats(page)["sent"] == 10, "10 events")
    after = datetime.now(UTC)
    page.evaluate("history.pushState({}, '', '/elsewhere')")
    page.evaluate("history.replaceState({}, '', '/elsewhere?q=1')")
    page.go_back()
    wait_until_sent(page)
    events = tracked.wait_for(app, 12)

    assert brief(events) == [
        ("page_view", f"/{app}/page", None),
        ("button_click", "product", 12),
        ("button_click", "nested", None),
        ("button_click", "empty", None),
        ("query", "search", -3),
        (None, "bare", None),
        ("scroll", f"/{app}/page", 25),
        ("scroll", f"/{app}/page", 50),
        ("scroll", f"/{app}/page", 75),
        ("scroll", f"/{app}/page", 100),
        ("page_view", "/elsewhere", None),
        ("page_view", f"/{app}/page", None),
    ]
    assert once(events)
    assert {each.user_id for each in events} == {USER}
    assert all(before <= each.event_time <= after for each in events[:10])
    assert stats(page)["sent"] == 12


def test_own_fields_arrive(context: BrowserContext, topics: Topics) -> None:
    """Own fields of the collector's contract arrive on the topic with their values."""
    app, renewed = new_app(), datetime(2026, 1, 31, 12, tzinfo=UTC)
    own = {"plan": "pro", "trial": False, "price": 9.5, "seats": 3, "order_number": 2**53 - 1}
    with tracking(topics, SHOP) as tracked, tracked.collector():
        page = visit(context, tracked.site.url(app, query='data=data-auto="false"'))
        page.evaluate("own => events.track('paid', null, 7, own)", {**own, "renewed": renewed})
        page.evaluate("events.track('bare')")
        wait_until_sent(page)
        paid, bare = tracked.wait_for(app, 2)

    assert paid.model_dump(include=set(SHOP.own_types)) == {**own, "renewed": renewed}
    assert set(bare.model_dump(include=set(SHOP.own_types)).values()) == {None}


def test_init_from_a_script_does_what_attributes_do(
    context: BrowserContext, tracked: Tracking
) -> None:
    """`events.init` takes key, endpoint and name; a second call only logs a message."""
    app = new_app()
    page = visit(context, tracked.site.url(app, query="init"))
    said = _console(page)
    page.evaluate("events.init({ app_name: 'other' })")
    page.click("#one")
    wait_until_sent(page)

    assert brief(tracked.wait_for(app, 2)) == [
        ("page_view", f"/{app}/page", None),
        ("button_click", "product", 12),
    ]
    assert said == ["events: init was called twice"]


def test_scrolling_is_reported_up_to_the_furthest_point(
    context: BrowserContext, tracked: Tracking
) -> None:
    """Scrolling half of a page sends 25 and 50; scrolling there again sends nothing."""
    app = new_app()
    page = visit(context, tracked.site.url(app))
    for share in (0.5, 0, 0.5, 0.25):
        page.evaluate(
            "s => scrollTo(0, s * document.documentElement.scrollHeight - innerHeight / 2)", share
        )
        page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
    wait_until_sent(page)

    assert brief(tracked.wait_for(app, 3))[1:] == [
        ("scroll", f"/{app}/page", 25),
        ("scroll", f"/{app}/page", 50),
    ]


def test_automatic_events_can_be_off(context: BrowserContext, tracked: Tracking) -> None:
    """With `data-auto="false"`, only explicit calls send events."""
    app = new_app()
    page = visit(context, tracked.site.url(app, query='data=data-auto="false"'))
    page.click("#one")
    page.evaluate("events.track('own')")
    wait_until_sent(page)

    assert brief(tracked.wait_for(app, 1)) == [(None, "own", None)]


def test_events_wait_for_the_user(context: BrowserContext, tracked: Tracking) -> None:
    """Events before `identify` belong to that user; events after `reset` wait for the next user."""
    app = new_app()
    page = visit(context, tracked.site.url(app), user=None)
    page.click("#one")
    page.reload()
    assert stats(page)["waiting"] == 3
    page.evaluate("events.identify(1); events.reset(); events.track('after')")
    wait_for(lambda: stats(page)["queued"] == 1, "the events of user 1 to be sent")
    assert (stats(page)["waiting"], stats(page)["user_id"]) == (1, None)
    page.evaluate("events.identify(2)")
    wait_until_sent(page)
    page.reload()
    wait_until_sent(page)
    events = tracked.wait_for(app, 5)

    assert [each.user_id for each in events] == [1, 1, 1, 2, 2]
    assert once(events)


@pytest.mark.parametrize("host", ["localhost", INSECURE])
def test_offline_events_arrive_when_online(
    context: BrowserContext, tracked: Tracking, host: str
) -> None:
    """Events without a network are sent once when the network is back."""
    app = new_app()
    page = visit(context, tracked.site.url(app, host))
    wait_until_sent(page)
    context.set_offline(True)
    page.click("#one")
    page.click("#nested")
    assert next_answer(page) == 0
    assert stats(page)["queued"] == 2
    context.set_offline(False)
    wait_until_sent(page)
    events = tracked.wait_for(app, 3)

    assert once(events)
    assert len(events) == 3


def test_the_tracker_works_on_plain_http(context: BrowserContext, tracked: Tracking) -> None:
    """Without `crypto.randomUUID` and `navigator.locks` every event arrives once."""
    app = new_app()
    page = visit(context, tracked.site.url(app, INSECURE))
    for name in ("crypto.randomUUID", "navigator.locks"):
        assert page.evaluate(f"typeof {name}") == "undefined"
    for _ in range(5):
        page.click("#one")
    wait_until_sent(page)
    events = tracked.wait_for(app, 6)

    assert len(events) == 6
    assert {each.event_id[14] for each in events} == {"7"}


@pytest.mark.parametrize("host", ["localhost", INSECURE])
def test_tabs_send_once(context: BrowserContext, tracked: Tracking, host: str) -> None:
    """Three tabs share one queue, and each event is sent by one of them."""
    app = new_app()
    pages = [visit(context, tracked.site.url(app, host)) for _ in range(3)]
    for _ in range(8):
        for page in pages:
            page.evaluate("events.track('tab')")
    for page in pages:
        wait_until_sent(page)
    events = tracked.wait_for(app, 27)

    assert once(events)
    assert sum(stats(page)["sent"] for page in pages) == 27


def test_a_page_of_another_origin_needs_permission(
    context: BrowserContext, tracked: Tracking
) -> None:
    """A page whose origin the key does not allow gets 403: nothing arrives, and the page works."""
    app = new_app()
    page = visit(context, tracked.site.url(app, "other.example"))
    answer = next_answer(page)
    page.click("#one")

    assert answer == 0  # the browser hides the 403 from the page
    assert stats(page)["queued"] == 2
    assert tracked.events(app) == []


def test_a_strict_content_security_policy_is_kept(
    context: BrowserContext, tracked: Tracking
) -> None:
    """With a policy that allows only the collector and no inline code, all events arrive."""
    app = new_app()
    page = context.new_page()
    said = _console(page)
    page.goto(tracked.site.url(app, query="csp"))
    page.evaluate("events.identify(7)")
    page.click("#one")
    wait_until_sent(page)

    assert len(tracked.wait_for(app, 2)) == 2
    assert said == []


@pytest.mark.parametrize("storage", [QUOTA_FULL, NO_STORAGE], ids=["full", "forbidden"])
def test_without_storage_events_arrive(
    context: BrowserContext, tracked: Tracking, storage: str
) -> None:
    """With a full or forbidden `localStorage`, events arrive while the page is open."""
    app = new_app()
    page = visit(context, tracked.site.url(app), script=storage)
    page.click("#one")
    page.evaluate("events.track('more')")
    wait_until_sent(page)
    page.click("#one")
    page.close()
    events = tracked.wait_for(app, 4)

    assert once(events)


def test_a_wrong_key_is_reported_and_its_events_dropped(
    context: BrowserContext, tracked: Tracking
) -> None:
    """After a 401 the events are dropped and counted, and the console says why."""
    app = new_app()
    page = context.new_page()
    said = _console(page)
    page.goto(tracked.site.url(app, query="key=wrong"))
    page.evaluate("events.identify(7)")
    wait_until_sent(page)

    assert stats(page)["dropped"]["refused"] == 1
    assert said[-1].startswith("events: 1 events were refused: 401 ")
    assert tracked.events(app) == []


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_wrong_clock_is_corrected(context: BrowserContext, tracked: Tracking, hours: int) -> None:
    """If the clock is an hour ahead or behind, events still get the right time."""
    app, before = new_app(), datetime.now(UTC)
    page = visit(context, tracked.site.url(app), script=CLOCK % (hours * 3_600_000))
    page.click("#one")
    wait_until_sent(page)
    events = tracked.wait_for(app, 2)

    assert once(events)
    margin = timedelta(seconds=1)  # the time of transfer counts as an error of the clock
    for each in events:
        assert before <= each.event_time <= each.received_time + margin


def test_events_from_before_the_clock_was_set_back_arrive(
    context: BrowserContext, tracked: Tracking
) -> None:
    """An event with a time in the future is sent with the current time."""
    app = new_app()
    page = visit(context, tracked.site.url(app), user=None, script=CLOCK % 3_600_000)
    page.close()
    page = visit(context, tracked.site.url(app))
    wait_until_sent(page)

    assert len(tracked.wait_for(app, 2)) == 2
    assert stats(page)["dropped"]["refused"] == 0


@pytest.mark.parametrize("signal", [DO_NOT_TRACK, PRIVACY_CONTROL], ids=["dnt", "gpc"])
def test_privacy_signals_are_honoured(
    context: BrowserContext, tracked: Tracking, signal: str
) -> None:
    """With either signal, nothing is kept or sent, and what was kept is deleted."""
    app = new_app()
    page = visit(context, tracked.site.url(app), user=None)
    page.close()
    asked = _requests(context, tracked)
    page = visit(context, tracked.site.url(app), script=signal)
    page.click("#one")
    page.reload()
    wait_for(lambda: page.evaluate("Object.keys(localStorage).length") == 0, "an empty storage")
    page.close()

    assert asked == []
    assert tracked.events(app) == []


def test_privacy_signals_can_be_overridden(context: BrowserContext, tracked: Tracking) -> None:
    """A site that has its visitors' consent can ignore the signals."""
    app = new_app()
    query = 'data=data-respect-privacy-signals="false"'
    page = visit(context, tracked.site.url(app, query=query), script=DO_NOT_TRACK)
    wait_until_sent(page)

    assert len(tracked.wait_for(app, 1)) == 1


def test_opting_out_is_respected(context: BrowserContext, tracked: Tracking) -> None:
    """Opting out deletes waiting events and stops tracking on all pages until the user opts in."""
    app = new_app()
    page = visit(context, tracked.site.url(app), user=None)
    asked = _requests(context, tracked)
    page.evaluate("events.optOut()")
    page.reload()
    page.evaluate("events.identify(7)")
    page.click("#one")
    assert stats(page)["queued"] == 0
    assert stats(page)["opted_out"]
    assert asked == []
    page.evaluate("events.optIn(); events.identify(7)")
    page.click("#nested")
    wait_until_sent(page)

    assert brief(tracked.wait_for(app, 1)) == [("button_click", "nested", None)]


def test_opting_out_outlives_a_full_storage(context: BrowserContext, tracked: Tracking) -> None:
    """With a full storage, the opt-out is stored because the events are deleted first."""
    page = visit(context, tracked.site.url(new_app()), user=None)
    lease = f"events {tracked.site.collector}/batch lease x"
    page.evaluate("key => localStorage.setItem(key, '{}')", lease)
    page.evaluate(QUOTA_FULL)
    page.evaluate("events.optOut()")
    page.reload()
    assert stats(page)["opted_out"]
    kept = page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('events'))")
    assert kept == ["events off"]


def test_a_prerendered_page_counts_as_viewed_when_it_is_shown(
    context: BrowserContext, tracked: Tracking
) -> None:
    """A prerendered page sends its page view only once it is shown."""
    app = new_app()
    ahead = "Object.defineProperty(document, 'prerendering', { value: true, configurable: true })"
    page = visit(context, tracked.site.url(app), script=ahead)
    page.evaluate("history.replaceState({}, '', '/start')")
    assert stats(page)["queued"] == 0
    page.evaluate("delete document.prerendering")
    page.evaluate("document.dispatchEvent(new Event('prerenderingchange'))")
    wait_until_sent(page)

    assert brief(tracked.wait_for(app, 1)) == [("page_view", "/start", None)]


def test_events_that_are_too_old_are_dropped_and_counted(
    context: BrowserContext, tracked: Tracking
) -> None:
    """An event that is too old for the collector is dropped; a newer one is sent."""
    app = new_app()
    page = context.new_page()
    page.goto(tracked.site.url("none"))
    for age in (WEEK + 3600, WEEK - 3600):
        page.evaluate(_KEEP, [tracked.site.collector, app, age])
    page.goto(tracked.site.url(app))
    page.evaluate("events.identify(7)")
    wait_until_sent(page)

    assert brief(tracked.wait_for(app, 2)) == [
        (None, f"{WEEK - 3600} s ago", None),
        ("page_view", f"/{app}/page", None),
    ]
    assert stats(page)["dropped"]["expired"] == 1


_KEEP = """([collector, app, age]) => {
  const event_id = crypto.randomUUID();
  const event = {
    event_id, event_time: new Date(Date.now() - 1000 * age).toISOString(), user_id: 7,
    app_name: app, event_category: `${age} s ago`,
  };
  localStorage.setItem(`events ${collector}/batch event ${event_id}`, JSON.stringify(event));
}"""


FORBIDDEN = [
    "track('')",
    "track('x'.repeat(257))",
    "track('\\0')",
    "track('\\ud800')",
    "track(7)",
    "track()",
    "track(1n)",
    "track(window)",
    "track('a', 7)",
    "track('a', '')",
    "track('a', 'b', 1.5)",
    "track('a', 'b', '1')",
    "track('a', 'b', 2 ** 31)",
    "track('a', 'b', 1n)",
    "track('a', 'b', Symbol())",
    "identify('7')",
    "identify(2 ** 31)",
    "identify(null)",
    "identify(1.5)",
    "identify(1n)",
    "identify(document)",
]


def test_invalid_calls_are_reported_at_once(context: BrowserContext, tracked: Tracking) -> None:
    """An invalid call logs one line in the console, keeps nothing and throws nothing."""
    url = tracked.site.url(new_app(), query='data=data-auto="false"')
    page = visit(context, url, user=None)
    said = _console(page)
    for count, call in enumerate(FORBIDDEN, 1):
        page.evaluate(f"events.{call}")
        assert len(said) == count, call
        assert " must be " in said[-1]
    assert stats(page)["queued"] == 0
    assert stats(page)["user_id"] is None
    assert stats(page)["dropped"]["invalid"] == sum("track" in call for call in FORBIDDEN)


def test_the_longest_texts_arrive(context: BrowserContext, tracked: Tracking) -> None:
    """The limit of 256 counts characters, not UTF-16 units."""
    app = new_app()
    page = visit(context, tracked.site.url(app, query='data=data-auto="false"'))
    page.evaluate("events.track('\\u{1f600}'.repeat(256), 'ä'.repeat(256), -(2 ** 31))")
    wait_until_sent(page)

    assert brief(tracked.wait_for(app, 1)) == [("ä" * 256, "\U0001f600" * 256, -(2**31))]


def test_the_queue_is_bounded(context: BrowserContext, tracked: Tracking) -> None:
    """Beyond 1,000 events, the oldest are dropped and counted; the others arrive."""
    app = new_app()
    page = visit(context, tracked.site.url(app, query='data=data-auto="false"'), user=None)
    page.evaluate("for (let n = 0; n < 1010; n++) events.track('many', null, n)")
    assert stats(page)["queued"] == 1000
    assert stats(page)["dropped"]["full"] == 10
    page.evaluate("events.identify(7)")
    wait_until_sent(page)
    events = tracked.wait_for(app, 1000)

    assert once(events)


def test_a_tracker_without_a_name_says_so(context: BrowserContext, tracked: Tracking) -> None:
    """Calls before a valid `init` log a message and throw nothing."""
    page = context.new_page()
    page.goto(tracked.site.url("none"))
    said = _console(page)
    page.add_script_tag(url=f"{tracked.site.collector}/tracker.js")
    page.add_script_tag(url=f"{tracked.site.collector}/tracker.js")
    page.evaluate("events.track('a'); events.identify(1); events.reset(); events.optOut()")
    page.evaluate("events.init(); events.init(null); events.init({ app_name: '' })")
    page.evaluate("events.init({ app_name: 'a', endpoint: 1n })")
    page.evaluate("events.init({ app_name: 'a', endpoint: 'ftp://x' })")
    page.evaluate("events.init({ app_name: 'a', endpoint: 'http://[' })")

    assert [each.partition(", but is ")[0] for each in said] == [
        *["events: call init first"] * 4,
        *["events: init needs an app_name of 1 to 256 characters"] * 3,
        *["events: endpoint must be the collector's URL"] * 3,
    ]
    assert KEY not in "".join(said)


def _console(page: Page) -> list[str]:
    """Return the list of the page's later console messages and errors."""
    said: list[str] = []
    page.on("console", lambda each: said.append(each.text))
    page.on("pageerror", lambda each: said.append(str(each)))
    return said


def _requests(context: BrowserContext, tracked: Tracking) -> list[str]:
    """Return the list of later requests to the collector, without the script."""
    asked: list[str] = []

    def note(url: str) -> None:
        if url.startswith(tracked.site.collector) and not url.endswith("/tracker.js"):
            asked.append(url)

    context.on("request", lambda request: note(request.url))
    return asked
