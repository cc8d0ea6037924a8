"""Tracked pages whose clock is controlled by the test."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page

from ingest_support.browser import Site, stats, visit, wait_for

HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""What a browser does when another tab comes to the front, which a headless one never does."""


def open_page(
    context: BrowserContext,
    site: Site,
    app: str,
    host: str = "localhost",
    script: str | None = None,
) -> Page:
    """Open a page, after running `script`, whose clock moves only with `forward`."""
    context.clock.install()
    url = site.url(app, host, query='data=data-auto="false"')
    return visit(context, url, script=script)


def track(page: Page, count: int, text: str = "") -> None:
    """Track `count` events at once."""
    page.evaluate("([n, t]) => { while (n--) events.track('c', t || null) }", [count, text])


def kept(page: Page) -> int:
    """How many events the page keeps."""
    return int(stats(page)["queued"])


def forward(page: Page, condition: Callable[[], bool], step: float = 1.0) -> None:
    """Move the page's clock forward, `step` seconds at a time, until the condition holds."""

    def turned() -> bool:
        page.clock.fast_forward(round(step * 1000))
        return condition()

    wait_for(turned, "what the page should do")


def pause(page: Page) -> None:
    """Stop the page's clock after the page has started."""
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 5"))
    wait_until_idle(page)


def wait_until_idle(page: Page) -> None:
    """Wait until the page sends nothing: while it sends, it holds a lock, if there are locks."""
    locked = """async () => {
      const locks = await navigator.locks?.query();
      return locks ? locks.held.length + locks.pending.length : 0;
    }"""
    wait_for(lambda: page.evaluate(locked) == 0, "an idle page")
