"""Tests of `events-loadgen simulate --keep`: its tables, the printed key, and the demo page."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

import duckdb
import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from ingest_support.browser import next_answer, wait_for
from line_support.simulation import Simulation, simulation

pytestmark = pytest.mark.extended

EVENTS = 500
DESK, PHONE = (1280, 720), (360, 740)
USER = 12345


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    """The whole line, running until Ctrl-C. No process is left afterwards."""
    folder = tmp_path_factory.mktemp("kept")
    with simulation(folder, "--events", str(EVENTS), "--seed", "1", "--keep") as running:
        running.wait_for("/track\n")
        yield running
        assert running.signal(signal.SIGINT) == 0
        assert running.alive() == []


@pytest.fixture
def page(context: BrowserContext, line: Simulation) -> Page:
    """The demo page, with its numbers loaded."""
    return open_demo(context, line)


def open_demo(context: BrowserContext, line: Simulation) -> Page:
    """Open the page at the address that the command prints, and wait for its numbers."""
    found = re.search(r"demo page +(\S+)", line.output())
    assert found
    page = context.new_page()
    page.goto(found[1])
    page.wait_for_selector("#rows tr")
    return page


def log_in(page: Page, user: int = USER) -> None:
    """Log in on the demo page."""
    page.fill("#user", str(user))
    page.click("button:text-is('Log in')")


def number(page: Page, name: str) -> int:
    """Return one of the large numbers on the page."""
    return int(page.inner_text(f"#{name}"))


def test_every_event_is_in_both_tables_once(line: Simulation) -> None:
    """The output has the counts and the seed, and the printed SQL gives the stated result."""
    said = line.output()
    assert f"acknowledged  {EVENTS} of {EVENTS} sent" in said
    assert f"\nRows in the result dataset: {EVENTS}\n" in said
    assert f"\nverified: {EVENTS} rows of " in said
    assert "seed          1\n" in said
    query = re.search(r"^SELECT user_id.*?;$", said, re.MULTILINE | re.DOTALL)
    assert query
    rows = duckdb.execute(query[0]).fetchall()
    of_the_load = [row for row in rows if row[0] <= 6]
    assert [user_id for user_id, *_ in of_the_load] == [1, 2, 3, 4, 5, 6]
    assert sum(events for _, events, *_ in of_the_load) == EVENTS


def test_the_collector_accepts_the_printed_request(line: Simulation) -> None:
    """The collector accepts the request of the printed command."""
    said = line.output()
    key, url = re.search(r"X-Token: (\S+)'", said), re.search(r"http://\S+/track", said)
    body = re.search(r"-d '(.*)'", said)
    assert key
    assert url
    assert body
    changed = body[1].replace('"user_id": 1', f'"user_id": {USER}')
    headers = {"X-Token": key[1], "Content-Type": "application/json"}
    answer = httpx.post(url[0], headers=headers, content=changed)
    assert answer.status_code == httpx.codes.OK, answer.text


def test_the_demo_page_shows_what_happens_to_a_click(page: Page) -> None:
    """The page shows waiting events, then the collector's answer, then the stored rows."""
    page.click("button:has-text('category_3')")
    wait_for(lambda: number(page, "queued") == 2, "two waiting events")
    assert page.inner_text("#identity") == "You are not logged in: 2 events are waiting."
    before = number(page, "raw")
    log_in(page)
    page.wait_for_selector("text=200: Kafka has 2")
    assert page.inner_text("#answers ul").splitlines() == [
        "page_view: /demo",
        "button_click: category_3, 5",
    ]
    assert page.inner_text("#identity") == f"You are user {USER}."
    assert (number(page, "queued"), number(page, "acknowledged")) == (0, 2)
    wait_for(lambda: number(page, "raw") >= before + 2, "the rows")
    assert number(page, "twice") == 0
    assert number(page, "enriched") >= EVENTS
    assert page.locator("#rows tr").count() == 10
    assert page.locator("#rows tr").first.locator("td").count() == 8


def test_the_demo_page_says_when_nobody_answers(context: BrowserContext, page: Page) -> None:
    """Without a network, the page shows that events are kept; afterwards they are sent."""
    log_in(page)
    context.set_offline(True)
    page.click("#track")
    assert next_answer(page) == 0
    page.wait_for_selector("text=no answer: the events are kept and sent again")
    page.wait_for_selector("text=The numbers are not available at the moment")
    assert number(page, "queued") >= 1
    context.set_offline(False)
    page.wait_for_selector("text=200: Kafka has")
    page.wait_for_selector("text=As of")
    wait_for(lambda: number(page, "queued") == 0, "an empty queue")


def test_the_demo_page_is_used_by_keyboard(page: Page) -> None:
    """Tab reaches every control in order, and each shows that it has the focus."""
    reached: list[str] = []
    for _ in range(8):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "(at => [at.id || at.innerText, getComputedStyle(at).outlineStyle])"
            "(document.activeElement)"
        )
        reached.append(name.partition(",")[0])
        assert outline == "solid"
        if reached[-1] in ("Log in", "category_3"):
            page.keyboard.press("Enter")
    buttons = ["category_1", "category_2", "category_3", "track"]
    assert reached == ["user", "Log in", "logout", *buttons, "opt-out"]
    page.wait_for_selector("text=button_click: category_3, 5")


def test_opting_out_on_the_demo_page_is_respected(page: Page) -> None:
    """After opting out, no events are kept, even after a reload."""
    page.check("#opt-out")
    page.click("button:has-text('category_3')")
    page.reload()
    page.wait_for_selector("#rows tr")
    assert page.is_checked("#opt-out")
    assert number(page, "queued") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_demo_page_is_accessible_and_fits(
    chromium: Browser, line: Simulation, scheme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    """axe finds no violations; nothing is cut off, logged in the console, or loaded elsewhere."""
    said, hosts = [], set()
    width, height = size
    with chromium.new_context(
        color_scheme=scheme, viewport={"width": width, "height": height}
    ) as context:
        context.on("console", lambda message: said.append(message.text))
        context.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        page = open_demo(context, line)
        log_in(page)
        page.click("button:has-text('category_1')")
        page.wait_for_selector("text=200: Kafka has")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page)
        assert found.response["violations"] == [], found.generate_report()
        assert found.response["testEngine"]["name"] == "axe-core"
    assert said == []
    assert hosts == {"127.0.0.1"}
