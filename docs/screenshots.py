"""`hatch run screenshots`: runs the whole line, uses its demo page, and takes the pictures of it.

It takes about three minutes: the page is shown when the events clicked in it are enriched.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parent
COMMAND = [sys.executable, "-m", "events_loadgen", "simulate", "--events", "5000", "--keep"]
WIDE, PHONE = (1280, 900), (390, 844)
PICTURES: list[tuple[str, Literal["light", "dark"], tuple[int, int]]] = [
    ("demo-light.png", "light", WIDE),
    ("demo-dark.png", "dark", WIDE),
    ("demo-phone.png", "light", PHONE),
]
ENRICHED_MS = 240_000.0
MARGIN = 16


def main() -> None:
    """Write the pictures beside this file."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as line:
        try:
            url = demo_url(line)
            with sync_playwright() as playwright:
                # fmt: off
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                # fmt: on
                take_pictures(browser, url)
                browser.close()
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


def take_pictures(browser: Browser, url: str) -> None:
    """Use the page, wait until its events are enriched, and show it in each way."""
    context = browser.new_context(device_scale_factor=1)
    page = context.new_page()
    page.goto(url)
    page.click("button:text-is('Log in')")
    for name in ("Headphones", "Sticker", "Keyboard", "Search"):
        page.click(f"button:has-text('{name}')")
        page.wait_for_timeout(700)
    page.wait_for_selector("tr.own", timeout=ENRICHED_MS)
    for name, scheme, (width, height) in PICTURES:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        take_picture(page, FOLDER / name)


def take_picture(page: Page, file: Path) -> None:
    """Write a picture of all that is live on the page: from its top down to the table."""
    width, bottom = page.evaluate(
        "[innerWidth, scrollY + document.querySelector('.live').getBoundingClientRect().bottom]"
    )
    page.screenshot(
        path=file, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": bottom + MARGIN}
    )
    print(f"wrote {file.name}")


if __name__ == "__main__":
    main()
