"""Tests of web pages under faults: every click is stored once.

`hatch run campaign browser` runs the long form; CI runs the short one.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from pyspark.sql import SparkSession

from ingest_support.browser import Tracking, new_app, next_answer, visit, wait_until_sent
from ingest_support.collector_process import CollectorProcess, running_collector
from stream_support.streaming import store

pytestmark = pytest.mark.extended

REPETITIONS = 20 if os.environ.get("EVENTS_CAMPAIGN") else 3
DOWN_SECONDS = 10.0
A_MOMENT_MS = 200
"""The time between two clicks of an impatient visitor."""
HOSTS = ("localhost", "shop.example")
"""With and without the features that browsers do not offer on plain HTTP."""


@dataclass
class Visitor:
    """A visitor with a browser. Each click is an event with a unique value."""

    context: BrowserContext
    url: str
    app: str
    clicks: int = 0
    views: int = 0

    def open(self) -> Page:
        """Open a page in a new tab."""
        page = visit(self.context, self.url)
        self.views += 1
        return page

    def click(self, page: Page) -> None:
        """Click once."""
        self.clicks += 1
        page.evaluate("n => { one.dataset.eventValue = n }", self.clicks)
        page.click("#one")


def test_what_was_clicked_is_stored_once(
    chromium: Browser, tracked: Tracking, spark: SparkSession, tmp_path: Path
) -> None:
    """With closed tabs, a lost network and killed collectors, every click is stored once."""
    visitors = []
    for turn in range(REPETITIONS):
        app = new_app()
        url = tracked.site.url(app, HOSTS[turn % len(HOSTS)])
        with chromium.new_context() as context:
            visitor = Visitor(context, url, app)
            _suffer(visitor, tracked, tmp_path)
        visitors.append(visitor)
    tracked.pool.submit(store, spark, tracked.topics.bootstrap, tracked.topic, tmp_path).result()

    expected: Counter[tuple[str, str, int | None]] = Counter()
    for each in visitors:
        expected.update((each.app, "button_click", n) for n in range(1, each.clicks + 1))
        expected[each.app, "page_view", None] = each.views
    assert Counter(_stored(tmp_path / "raw")) == expected
    assert len(tracked.all_events()) > expected.total()  # some were sent twice, and stored once


def _suffer(visitor: Visitor, tracked: Tracking, folder: Path) -> None:
    """Visit and click, with each fault once."""
    with _collector(tracked, folder):
        _close_right_after_a_click(visitor)
        page = visitor.open()
        _lose_the_network(visitor, page)
        other = visitor.open()
        _click_for(0.5, visitor, page, other)
    _click_for(DOWN_SECONDS / 2, visitor, page, other)
    other.close()
    _click_for(DOWN_SECONDS / 2, visitor, page)
    with _collector(tracked, folder):
        _close_right_after_a_click(visitor)
        wait_until_sent(visitor.open())


def _collector(tracked: Tracking, folder: Path) -> AbstractContextManager[CollectorProcess]:
    """Run the collector until the end of the block, then kill it with kill -9."""
    return running_collector(
        tracked.topics.bootstrap,
        tracked.topic,
        folder,
        "--public-key",
        tracked.public_key,
        port=tracked.port,
    )


def _close_right_after_a_click(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.click(page)
    page.close()


def _lose_the_network(visitor: Visitor, page: Page) -> None:
    visitor.context.set_offline(True)
    for _ in range(3):
        visitor.click(page)
    assert next_answer(page) == 0
    visitor.context.set_offline(False)


def _click_for(seconds: float, visitor: Visitor, *pages: Page) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for page in pages:
            visitor.click(page)
            page.wait_for_timeout(A_MOMENT_MS)


def _stored(raw: Path) -> dict[tuple[str, str, int | None], int]:
    """Return how many times each event is stored, by application, action and value."""
    found = duckdb.execute(
        "SELECT app_name, event_action, event_value, count(*) "
        f"FROM '{raw}/*/*.parquet' GROUP BY ALL"
    )
    return {(app, action, value): count for app, action, value, count in found.fetchall()}
