"""`hatch run screenshots`: takes the pictures of the demo page and of the report.

`hatch run screenshots report` takes those of the report alone, in seconds. The demo's take about
three minutes: the whole line runs, and its page is shown when the events clicked in it are
enriched. `hatch run screenshots site` is for looking at this documentation: see `site_pictures`.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from events_analytics.report import Scope, find_tables, read_report, render_page
from example_tables import CONTRACT, NOW, write_tables
from site_pictures import take_site

FOLDER = Path(__file__).parents[1] / "docs" / "images"
COMMAND = [sys.executable, "-m", "events_loadgen", "simulate", "--events", "5000", "--keep"]
WIDE, PHONE = (1280, 900), (390, 844)
WAYS: list[tuple[str, Literal["light", "dark"], tuple[int, int]]] = [
    ("light", "light", WIDE),
    ("dark", "dark", WIDE),
    ("phone", "light", PHONE),
]
ENRICHED_MS = 240_000.0
MARGIN = 16
REPORTED_EVENTS = 200_000


def main(names: list[str]) -> None:
    """Write the pictures to docs/images: those named, or all."""
    if names[:1] == ["site"]:
        with chromium() as browser:
            take_site(browser, names[1:])
        return
    unknown = set(names) - set(PICTURES)
    if unknown:
        raise SystemExit(f"no pictures of {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    for name in names or PICTURES:
        PICTURES[name]()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the Chromium of this machine."""
    with sync_playwright() as playwright:
        # fmt: off
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-lcd-text"]
        )
        # fmt: on
        yield browser
        browser.close()


def take_demo() -> None:
    """Run the whole line, and take the pictures of its demo page."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as line:
        try:
            url = demo_url(line)
            with chromium() as browser:
                page = use_demo(browser, url)
                for way, scheme, size in WAYS:
                    show(page, scheme, size)
                    take_picture(page, FOLDER / f"demo-{way}.png", ".live")
        finally:
            line.send_signal(signal.SIGINT)
            line.communicate()


def demo_url(line: subprocess.Popen[str]) -> str:
    """Wait until the line is up; return the address of its demo page."""
    assert line.stdout  # noqa: S101  # it is a pipe
    for said in line.stdout:
        print(said, end="")
        if found := re.search(r"demo page\s+(\S+)", said):
            return found[1]
    raise SystemExit("events-loadgen simulate ended before it was complete; see above")


def use_demo(browser: Browser, url: str) -> Page:
    """Use the page until its events are enriched."""
    context = browser.new_context(device_scale_factor=1)
    page = context.new_page()
    page.goto(url)
    page.click("button:text-is('Log in')")
    for name in ("category_1", "category_3", "category_2", "No action"):
        page.click(f"button:has-text('{name}')")
        page.wait_for_timeout(700)
    page.wait_for_selector("tr.own", timeout=ENRICHED_MS)
    return page


def take_report() -> None:
    """Take the pictures of a report on the tables of an invented company."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        write_tables(Path(folder), REPORTED_EVENTS)
        raw, enriched = f"{folder}/raw", f"{folder}/enriched"
        tables = find_tables(raw, enriched, None, required=frozenset())
        report = read_report(tables, CONTRACT, Scope(NOW, since=None, top=6))
        file = Path(folder) / "report.html"
        file.write_text(render_page(report.model_copy(update={"raw": "/srv/events/raw"})))
        page = browser.new_context(device_scale_factor=1).new_page()
        page.goto(file.as_uri())
        for way, scheme, size in WAYS:
            show(page, scheme, size)
            last = "[aria-labelledby=products]" if size == PHONE else "footer"
            take_picture(page, FOLDER / f"report-{way}.png", last)


def show(page: Page, scheme: Literal["light", "dark"], size: tuple[int, int]) -> None:
    """Show the page in this way."""
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)


def take_picture(page: Page, file: Path, last: str) -> None:
    """Write a picture of the page, from its top down to the end of the element `last`."""
    width, bottom = page.evaluate(
        "last => [innerWidth,"
        " scrollY + document.querySelector(last).getBoundingClientRect().bottom]",
        last,
    )
    page.screenshot(
        path=file, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": bottom + MARGIN}
    )
    print(f"wrote {file.name}")


PICTURES: Mapping[str, Callable[[], None]] = {"demo": take_demo, "report": take_report}

if __name__ == "__main__":
    main(sys.argv[1:])
