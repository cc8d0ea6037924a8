"""A real Chromium, a web site with tracked pages, and the pages' events on the topic."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from events_ingest import CollectorServer, ServeSettings
from events_loadgen.processes.ports import free_port
from events_loadgen.processes.waiting import wait_until
from events_schema import Contract, EventEnvelope
from ingest_support.contracts import CONTRACT
from line_support.topics import Topics

KEY = "pk_web"
USER = 7
SECONDS = 30.0
"""How long an action in a browser may take before a test fails."""

NO_STORAGE = """
    Object.defineProperty(window, "localStorage", {
      get() { throw new DOMException("denied", "SecurityError") }
    })
"""
"""The storage of a browser that blocks cookies."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>shop</title>{head}</head>
<body>
<button id="one" data-event-category="product" data-event-value="12">one</button>
<button id="nested" data-event-category="nested"><b>bold</b></button>
<button id="empty" data-event-category="empty" data-event-value="">empty</button>
<a id="next" href="next">next page</a>
<div><svg width="10" height="4000"></svg></div>
</body></html>"""


@contextmanager
def serving(app: ASGIApp, port: int) -> Iterator[None]:
    """Serve `app` on `port` of 127.0.0.1 in a thread."""
    # fmt: off
    server = uvicorn.Server(uvicorn.Config(
        app, host="127.0.0.1", port=port, lifespan="off", log_config=None, access_log=False,
        timeout_graceful_shutdown=1,
    ))
    # fmt: on
    thread = threading.Thread(target=server.run, name=f"server on {port}")
    thread.start()
    try:
        wait_until(lambda: server.started, "the site", seconds=SECONDS, every=0.02)
        yield
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class Site:
    """A web site under any host name: `/APP/...` is a page that is tracked as APP."""

    collector: str
    port: int = field(default_factory=free_port)

    def url(self, app: str, host: str = "localhost", query: str = "") -> str:
        """The URL of a page. The `query` may have `key`, `init` or `csp`, as below."""
        return f"http://{host}:{self.port}/{app}/page?{query}"

    @property
    def origins(self) -> list[str]:
        """The origins that the collector allows."""
        return [f"http://{host}:{self.port}" for host in ("localhost", "shop.example")]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve it."""
        routes = [
            Route("/init.js", self._init),
            Route("/none/{rest:path}", lambda _: HTMLResponse(PAGE.format(head=""))),
            Route("/{app}/{rest:path}", self._page),
        ]
        with serving(Starlette(routes=routes), self.port):
            yield

    def _page(self, request: Request) -> Response:
        query = request.query_params
        app, key = request.path_params["app"], query.get("key", KEY)
        options = query.get("data", "")
        head = f'<script src="{self.collector}/tracker.js"'
        if "init" in query:
            head += f'></script><script src="/init.js?app={app}"></script>'
        else:
            head += f' data-key="{key}" data-app-name="{app}" {options}></script>'
        headers = {}
        if "csp" in query:
            headers["Content-Security-Policy"] = (
                f"default-src 'none'; script-src {self.collector}; connect-src {self.collector}; "
                "require-trusted-types-for 'script'; trusted-types 'none'"
            )
        return HTMLResponse(PAGE.format(head=head), headers=headers)

    def _init(self, request: Request) -> Response:
        options = {
            "key": KEY,
            "app_name": request.query_params["app"],
            "endpoint": self.collector + "/",
        }
        return Response(f"events.init({json.dumps(options)})", media_type="text/javascript")


@dataclass(frozen=True)
class Tracking:
    """A site, its collector and its topic."""

    topics: Topics
    topic: str
    port: int
    site: Site
    pool: ThreadPoolExecutor
    """Runs code that needs its own event loop, since Playwright's is in the tests' thread."""
    contract: Contract[Any] = CONTRACT

    @property
    def public_key(self) -> str:
        """The key of the site's pages."""
        return " ".join((KEY, *self.site.origins))

    def settings(self, **more: Any) -> ServeSettings:
        """The settings of the collector."""
        # fmt: off
        return ServeSettings(**{
            "brokers": self.topics.bootstrap, "topic": self.topic, "port": self.port,
            "public_key": (self.public_key,), "access_log": 0,
            "contract": self.contract.name, "allow_unreleased": True, **more,
        })
        # fmt: on

    @contextmanager
    def collector(self, **more: Any) -> Iterator[str]:
        """Run the collector."""
        with CollectorServer(self.settings(**more)).in_thread() as url:
            yield url

    def all_events(self) -> list[EventEnvelope]:
        """All records on the topic."""
        values = self.pool.submit(self.topics.values, self.topic).result()
        return [self.contract.decode(value) for value in values if value is not None]

    def events(self, app: str) -> list[EventEnvelope]:
        """The records of `app`, ordered by time."""
        found = [each for each in self.all_events() if each.app_name == app]
        return sorted(found, key=lambda each: (each.event_time, each.event_id))

    def wait_for(self, app: str, count: int) -> list[EventEnvelope]:
        """Wait until the topic has `count` different events of `app`; return all its records."""
        found: list[EventEnvelope] = []

        def arrived() -> bool:
            found[:] = self.events(app)
            return len({each.event_id for each in found}) >= count

        try:
            wait_until(arrived, "all events", seconds=SECONDS, every=0.3)
        except Exception as error:
            raise AssertionError(f"{len(found)} records came: {brief(found)}") from error
        return found


def brief(events: list[EventEnvelope]) -> list[tuple[str | None, str, int | None]]:
    """The action, category and value of each event."""
    return [(each.event_action, each.event_category, each.event_value) for each in events]


def once(events: list[EventEnvelope]) -> bool:
    """Whether every event is there only once."""
    return max(Counter(each.event_id for each in events).values(), default=0) <= 1


def new_app() -> str:
    """An application name that no other test uses."""
    return f"app-{uuid.uuid4()}"


def stats(page: Page) -> dict[str, Any]:
    """The tracker's statistics of the page."""
    said: dict[str, Any] = page.evaluate("events.stats()")
    return said


def next_answer(page: Page) -> int:
    """Wait for the collector's next answer; return its status, 0 if there was none."""
    # fmt: off
    return int(page.evaluate(
        "() => new Promise(done => "
        "addEventListener('events:answer', answer => done(answer.detail.status), { once: true }))"
    ))
    # fmt: on


def wait_until_sent(page: Page) -> None:
    """Wait until the tracker keeps no more events."""
    try:
        wait_for(lambda: stats(page)["queued"] == 0, "an empty queue")
    except Exception as error:
        raise AssertionError(stats(page)) from error


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that the browser does."""
    wait_until(condition, what, seconds=SECONDS, every=0.05)


def visit(
    context: BrowserContext, url: str, *, user: int | None = USER, script: str | None = None
) -> Page:
    """Open a page in a new tab after running `script`, and log `user` in."""
    page = context.new_page()
    if script:
        page.add_init_script(script)
    page.goto(url)
    if user is not None:
        page.evaluate("user => events.identify(user)", user)
    return page


def chromium_path() -> str | None:
    """The path of the system's Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a headless Chromium that resolves all names in `.example` to this machine.

    If there is none, tests are skipped, or fail if `CI` is set.
    """
    path = chromium_path()
    if path is None:
        reason = "no Chromium is installed; `apt-get install chromium` brings one"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    arguments = ["--host-resolver-rules=MAP *.example 127.0.0.1"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tracking(topics: Topics, contract: Contract[Any] = CONTRACT) -> Iterator[Tracking]:
    """Serve a site; its collector, for events of `contract`, is not yet running."""
    port = free_port()
    site = Site(f"http://127.0.0.1:{port}")
    with ThreadPoolExecutor(1) as pool, site.running():
        topic = pool.submit(topics.create).result()
        yield Tracking(topics, topic, port, site, pool, contract)
