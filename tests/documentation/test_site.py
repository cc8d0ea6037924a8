"""The documentation site, built as `hatch run docs:build` does, in a real Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Literal
from urllib.request import urlopen

import pytest
import yaml
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

from check_site import navigation_pages
from site_pictures import serving

ROOT = Path(__file__).parents[2]
SCHEMES: dict[Literal["light", "dark"], str] = {"light": "default", "dark": "slate"}
"""What the site calls each preference of the system."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of the site, built strictly."""
    hatch = _hatch()
    if hatch is None:
        if os.environ.get("CI"):
            pytest.fail("hatch, which builds the site, was not found")
        pytest.skip("hatch, which builds the site, was not found; run the tests with `hatch run`")
    build = subprocess.run(
        [hatch, "run", "docs:build"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert build.returncode == 0, build.stdout + build.stderr
    with serving(ROOT / "site") as url:
        yield url


def _hatch() -> str | None:
    """Return the hatch that runs the tests, or another one."""
    uv = os.environ.get("HATCH_UV")
    beside = shutil.which("hatch", path=Path(uv).parent) if uv else None
    return beside or shutil.which("hatch", path=ROOT / ".venv/bin") or shutil.which("hatch")


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[Page]:
    """A tab. A request to another host, an error and a missing file fail the test."""
    faults: list[str] = []

    def watch_console(said: ConsoleMessage) -> None:
        if said.type == "error":
            faults.append(said.text)

    def watch_request(asked: Request) -> None:
        if not asked.url.startswith(url):
            faults.append(asked.url)

    def watch_response(answer: Response) -> None:
        if answer.status >= HTTPStatus.BAD_REQUEST:
            faults.append(f"{answer.status}: {answer.url}")

    with chromium.new_context() as context:
        context.on("console", watch_console)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        context.on("request", watch_request)
        context.on("response", watch_response)
        yield context.new_page()
    assert faults == []


@pytest.mark.parametrize("path", ["", "reference/commands/events-ingest/", "how-to/query/"])
def test_pages_load_from_their_own_host_without_errors(page: Page, url: str, path: str) -> None:
    """A page shows its heading; all that it loads comes from its own host."""
    page.goto(f"{url}/{path}", wait_until="networkidle")

    assert page.locator("h1").is_visible()


def test_search_finds_a_page(page: Page, url: str) -> None:
    """A word that is typed into the search leads to the page that has it."""
    page.goto(url)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("combobox", name="Search").fill("events_stream_lag_seconds")
    page.get_by_role("listbox").get_by_role("option").first.click()
    page.wait_for_url("**/reference/metrics/**")

    assert page.locator("h1").inner_text().startswith("Metrics")


@pytest.mark.parametrize("preference", SCHEMES)
def test_colors_follow_the_system(
    page: Page, url: str, preference: Literal["light", "dark"]
) -> None:
    """The site is dark on a system that prefers dark, and light otherwise."""
    page.emulate_media(color_scheme=preference)
    page.goto(url)

    assert page.locator("body").get_attribute("data-md-color-scheme") == SCHEMES[preference]


def test_a_phone_shows_pages_without_scrolling_sideways(page: Page, url: str) -> None:
    """Wide tables and code scroll by themselves; the page does not."""
    page.set_viewport_size({"width": 390, "height": 844})
    for path in [path for path in _paths() if path.startswith("reference/")]:
        page.goto(f"{url}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_every_page_of_the_navigation_is_served(url: str) -> None:
    """Every page of the navigation is where its address says."""
    for path in _paths():
        with urlopen(f"{url}/{path}") as answer:  # noqa: S310  # our own server
            assert answer.status == 200


def _paths() -> list[str]:
    """Return the addresses of all pages, below the site's."""
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    files = [page.removesuffix(".md") for page in navigation_pages(nav)]
    return [f"{file.removesuffix('index')}/".replace("//", "/").lstrip("/") for file in files]
