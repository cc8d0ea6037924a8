"""The documentation site, built as `hatch run docs:build` does, in a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Literal
from urllib.request import urlopen

import pytest
import yaml
from playwright.sync_api import Browser, ConsoleMessage, FloatRect, Page, Request, Response

from check_site import navigation_pages
from site_pictures import serving

ROOT = Path(__file__).parents[2]
SCHEMES: dict[Literal["light", "dark"], str] = {"light": "default", "dark": "slate"}
"""What the site calls each preference of the system."""
LINES_OF_CODE = """() => [...new Set(
    [...document.querySelectorAll("article td code")].map(each => each.getClientRects().length))]"""
"""Of the code in tables: over how many lines it goes."""


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


def test_a_table_that_is_wider_than_a_phone_says_so(page: Page, url: str) -> None:
    """A shadow at its right edge goes away at the end of the table."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{url}/reference/exit-codes/")
    table = page.locator(".md-typeset__scrollwrap").nth(1)
    box = table.bounding_box()
    assert box is not None
    right, bottom = box["x"] + box["width"], box["y"] + box["height"]
    edge: FloatRect = {"x": right - 5, "y": bottom - 4, "width": 5, "height": 2}
    shadow = page.screenshot(full_page=True, clip=edge)
    table.evaluate("each => each.scrollTo(each.scrollWidth, 0)")

    assert page.screenshot(full_page=True, clip=edge) != shadow


@pytest.mark.parametrize("path", ["how-to/operate/", "explanation/promises/", "how-to/query/"])
def test_code_in_tables_stays_on_one_line(page: Page, url: str, path: str) -> None:
    """Names of flags and commands do not break at their hyphens."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{url}/{path}")

    assert page.evaluate(LINES_OF_CODE) == [1]


@pytest.mark.parametrize("preference", SCHEMES)
@pytest.mark.parametrize("path", ["start/first-hour/", "how-to/web-pages/", "how-to/report/"])
def test_pictures_are_as_light_as_the_page(
    page: Page, url: str, path: str, preference: Literal["light", "dark"]
) -> None:
    """Of a light and a dark picture, a page shows its own."""
    page.emulate_media(color_scheme=preference)
    page.goto(f"{url}/{path}")
    shown = page.locator("article img:visible:not([src*=phone])")

    assert [f"-{preference}.png" in str(each.get_attribute("src")) for each in shown.all()] == [
        True
    ]


def test_a_phone_shows_the_line_in_a_narrow_form(page: Page, url: str) -> None:
    """Another picture, which says the same, is as wide as the phone."""
    page.set_viewport_size({"width": 390, "height": 844})
    with page.expect_request("**/line-phone.svg"):
        page.goto(url)

    assert _parts("line-phone.svg") == _parts("line.svg")


def _parts(picture: str) -> set[str]:
    """Return the names and the words in the boxes of a picture."""
    text = (ROOT / "docs/images" / picture).read_text("utf-8")
    return set(re.findall(r'class="(?:title|small)"[^>]*>([^<]+)', text))


def test_the_sidebar_calls_a_page_by_its_heading(page: Page, url: str) -> None:
    """The navigation and the page agree."""
    for path in [path for path in _paths() if path.startswith(("how-to/", "reference/"))]:
        page.goto(f"{url}/{path}")
        active = page.locator(".md-sidebar--primary .md-nav__link--active")
        link = active.filter(has_text=re.compile(r"\w")).last
        heading = page.locator("h1").evaluate("each => each.firstChild.textContent")
        assert str(link.text_content()).strip() == heading.strip(), path


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
