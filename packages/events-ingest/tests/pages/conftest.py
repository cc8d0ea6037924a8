"""A collector with scripted answers, and a page that it tracks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from ingest_support.browser import new_app, wait_for
from ingest_support.page_clock import open_page, pause, track, wait_until_idle
from ingest_support.scripted_collector import Collector, refuse, scripted_collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that accepts everything until a script is set."""
    with scripted_collector() as collector:
        yield collector


@pytest.fixture
def page(context: BrowserContext, collector: Collector) -> Page:
    """A tracked page with a known user, whose clock moves only with `forward`."""
    return open_page(context, collector.site, new_app())


@pytest.fixture
def failed_page(page: Page, collector: Collector) -> Page:
    """A page whose only event was just refused and must be sent again; its clock stands still."""
    collector.script.append(refuse(503))
    pause(page)
    track(page, 1)
    page.clock.run_for(1000)
    wait_for(lambda: len(collector.requests) == 1, "the first request")
    wait_until_idle(page)
    return page
