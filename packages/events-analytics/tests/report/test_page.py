"""The report's page: its content, and how it looks and works in a real Chromium."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, BrowserContext, Page, expect

from analytics_support.own_fields import SHOP, write_raw
from analytics_support.report_tables import DAY, ENRICHED, FAILED, report_on, write
from events_analytics.report import Scope, render_page
from events_analytics.report.page.chart import HEIGHT, bar_chart
from events_analytics.report.page.wording import (
    NOTHING,
    say_briefly,
    say_duration,
    say_name,
    say_share,
    spell_out,
)
from events_analytics.report.tables import FailedRow
from events_schema import StoredEvent
from events_schema.testing import AWKWARD_TEXTS, texts

T = datetime(2026, 11, 24, 12, tzinfo=UTC)
STORED: Any = SHOP.stored
DESK, PHONE = (1280, 720), (390, 844)
ALL = Scope(T, since=None, top=100)
HOSTILE = [
    "</script><b>bold</b>",
    "</title></style><img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    "{{ report }} {% for %}",
    "&lt;i&gt;",
    "מכירות",
    "x" * 256,
    *AWKWARD_TEXTS,
]


class Elements(HTMLParser):
    """Collects the elements of a page, the values of each attribute, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect an element."""
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        """Collect a text."""
        self.text += data


def rows() -> list[StoredEvent]:
    """Return events with hostile and awkward names over three days, each with its own count."""
    return [
        STORED(
            event_time=T - timedelta(hours=number),
            user_id=number % 9 or None,
            app_name=name,
            event_action=name,
            event_category=name,
            event_value=None if number % 3 else number,
            event_id=str(number),
            received_time=T - timedelta(hours=number) + timedelta(seconds=number * number),
            plan=name,
        )
        for number, name in enumerate(HOSTILE)
        for _ in range(number + 1)
    ]


def page_of(folder: Path) -> str:
    """Return the page for tables with all kinds of rows."""
    write_raw(folder / "raw" / DAY / "a.parquet", SHOP, rows())
    write(folder / "enriched" / "a.parquet", SHOP.enrich(rows(), T), ENRICHED)
    failed = [FailedRow(reason=name, timestamp=T) for name in HOSTILE]
    write(folder / "raw.failed" / "a.parquet", failed, FAILED)
    return render_page(report_on(folder, ALL, SHOP).model_copy(update={"raw": HOSTILE[0]}))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything in it."""
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    path.write_text(page_of(folder), encoding="utf-8")
    return path


@pytest.fixture
def page(context: BrowserContext, file: Path) -> Page:
    """The page, opened from a file."""
    page = context.new_page()
    page.goto(file.as_uri())
    return page


def test_names_are_shown_as_text_whatever_they_contain(file: Path) -> None:
    """No name becomes an element or an attribute, and each is readable."""
    found = Elements(file.read_text(encoding="utf-8"))
    assert not {"b", "img"} & set(found.tags)
    assert (found.tags.count("script"), found.tags.count("style")) == (1, 1)
    assert not [name for name in found.attributes if name.startswith("on")]
    for name in HOSTILE:
        assert spell_out(name) in found.text


def test_the_page_refers_to_no_other_resource(file: Path) -> None:
    """It has no URLs, no files and no style attributes, so nothing in it can fetch anything."""
    found = Elements(file.read_text(encoding="utf-8"))
    assert not {"link", "iframe", "object", "embed", "base", "form", "a"} & set(found.tags)
    assert not {"src", "href", "style", "srcset", "action"} & found.attributes
    assert file.stat().st_size < 300 * 1024


@settings(max_examples=200)
@given(name=texts())
def test_names_can_be_seen(name: str) -> None:
    """A shown name has no invisible characters, and no blanks at its ends."""
    shown = spell_out(name)
    assert shown.strip() == shown != ""
    assert all(each.isprintable() or each in "\u200c\u200d" for each in shown)
    assert name.isprintable() <= (name in shown)
    assert Elements(str(say_name(name))).text == shown


@settings(max_examples=200)
@given(values=st.lists(st.integers(0, 10**12), min_size=1, max_size=120))
def test_bars_are_proportional_to_their_values(values: list[int]) -> None:
    """No bar leaves the chart, and a value above 0 is visible."""
    chart = bar_chart(values)
    scale = chart.ticks[-1].value
    assert scale >= max(values)
    assert 2 <= len(chart.ticks) <= 6
    for bar, value in zip(chart.bars, values, strict=True):
        assert bar.height == pytest.approx(HEIGHT * value / scale, abs=1.6)
        assert bool(bar.height) == bool(value)
        assert bar.top + bar.height == pytest.approx(HEIGHT, abs=0.02)
        assert bar.left <= bar.inset + 1e-3
        assert bar.inset + bar.width <= 100.01
    assert [mark.index for mark in chart.marks] == sorted({mark.index for mark in chart.marks})


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, NOTHING),
        (0, "0 ms"),
        (999, "999 ms"),
        (4630, "4.63 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (7_260_000, "2 h 1 min"),
        (86_400_000, "1 d"),
        (86_460_000, "1 d"),
        (10**12, "11,574 d 1 h"),
    ],
)
def test_durations_are_short(ms: int | None, said: str) -> None:
    """A duration has its two largest units, and a short one has decimals."""
    assert say_duration(ms) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 0, "0 %"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 3, "33.3 %"),
        (1, 10**6, "< 0.1 %"),
        (10**6 - 1, 10**6, "99.9 %"),
    ],
)
def test_only_the_whole_is_100_percent(part: int, whole: int, said: str) -> None:
    """A small share is not shown as 0 %, and almost everything is not shown as 100 %."""
    assert say_share(part, whole) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (999_999, "999,999"),
        (1_000_000, "1.00 M"),
        (12_399_999, "12.3 M"),
        (999_999_999, "999 M"),
        (1_999_999_999, "1.99 bn"),
        (-6_442_450_944, "-6.44 bn"),
    ],
)
def test_large_counts_are_short(count: int, said: str) -> None:
    """A count from one million on is truncated to three digits."""
    assert say_briefly(count) == said


def first_cells(page: Page, caption: str) -> list[str]:
    """Return the row headings of a table, in order."""
    table = page.locator("table", has=page.locator(f"caption:text-is('{caption}')"))
    return table.locator("tbody th").all_inner_texts()


@pytest.mark.parametrize("way", ["mouse", "Enter", "Space"])
def test_the_first_press_sorts_and_the_next_reverses(page: Page, way: str) -> None:
    """Mouse and keys sort by a column, numbers in descending order first."""
    heading = page.locator("section:has(#nulls) th", has_text="Nulls")
    columns = list(STORED.model_fields)

    def press() -> None:
        if way == "mouse":
            heading.locator("button").click()
        else:
            heading.locator("button").focus()
            page.keyboard.press(way)

    assert first_cells(page, "Nulls") == columns
    nulls = {name: sum(getattr(row, name) is None for row in rows()) for name in columns}
    press()
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert first_cells(page, "Nulls") == sorted(columns, key=lambda name: -nulls[name])
    press()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert first_cells(page, "Nulls") == sorted(first_cells(page, "Nulls"), key=nulls.__getitem__)
    assert page.locator("section:has(#nulls) [aria-sort]").count() == 1
    expect(page.get_by_role("status")).to_have_text("Nulls: by Nulls, ascending")


def test_names_sort_by_letters_and_what_is_missing_is_last(page: Page) -> None:
    """A text column sorts by its text, and products without a value stay last in both orders."""
    section = page.locator("section:has(#products)")
    section.get_by_role("button", name="Value").click()
    cells = section.locator("tbody td:nth-child(4)")
    assert cells.last.inner_text() == NOTHING
    section.get_by_role("button", name="Value").click()
    assert cells.last.inner_text() == NOTHING
    assert cells.first.inner_text() != NOTHING
    section.get_by_role("button", name="Product").click()
    expect(section.locator("th", has_text="Product")).to_have_attribute("aria-sort", "ascending")
    names = first_cells(page, "Top products")
    assert names.index("a/b=c%00") < names.index("null")


def test_own_fields_are_ranked_under_their_names(page: Page) -> None:
    """Each own text field has a section with its values, including events without a value."""
    plan, coupon = (page.locator(f"section:has(#own-{number})") for number in (1, 2))
    expect(plan.get_by_role("heading")).to_have_text("plan")
    expect(plan.locator("tbody tr")).to_have_count(len(HOSTILE))
    most = plan.locator("tbody tr").first
    expect(most.locator("th")).to_have_text(spell_out(HOSTILE[-1]))
    expect(most.locator("td").first).to_have_text(str(len(HOSTILE)))
    expect(coupon.get_by_role("heading")).to_have_text("coupon")
    expect(coupon.locator("tbody tr")).to_have_text([f"not set{len(rows())}100 %"])


def test_the_default_contract_adds_no_section(tmp_path: Path) -> None:
    """Without own fields, the page has no section for them."""
    write(tmp_path / "raw" / DAY / "a.parquet", rows())
    page = render_page(report_on(tmp_path, ALL))
    assert "own-1" not in page
    assert "your contract" not in page


def test_the_keyboard_reaches_every_column(page: Page) -> None:
    """Tab moves from heading to heading in order."""
    page.locator("section:has(#products) button").first.focus()
    reached = []
    for _ in range(4):
        reached.append(page.evaluate("document.activeElement.textContent"))
        page.keyboard.press("Tab")
    assert reached == ["Product", "Events", "Users", "Value"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_is_accessible_and_fits(
    chromium: Browser, file: Path, scheme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    """axe finds no problem, and nothing is cut off, logged to the console or fetched."""
    said: list[str] = []
    requests: list[str] = []
    width, height = size
    with chromium.new_context(
        color_scheme=scheme, viewport={"width": width, "height": height}
    ) as context:
        context.on("console", lambda message: said.append(message.text))
        context.on("dialog", lambda dialog: said.append(dialog.message))
        context.on("request", lambda request: requests.append(request.url))
        page = context.new_page()
        page.goto(file.as_uri())
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page)
        assert found.response["violations"] == [], found.generate_report()
        assert found.response["testEngine"]["name"] == "axe-core"
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (dark == "rgb(18, 21, 27)") == (scheme == "dark")
    assert said == []
    assert requests == [file.as_uri()]


def test_the_policy_stops_what_would_fetch_or_run(page: Page) -> None:
    """An injected remote image, script or style is refused."""
    page.evaluate(
        """() => {
            window.stopped = [];
            addEventListener("securitypolicyviolation", event =>
                stopped.push(event.effectiveDirective));
            for (const [name, text] of [
                ["script", "document.title = 'run'"], ["style", "body { display: none }"]
            ]) {
                const element = document.createElement(name);
                element.textContent = text;
                document.body.append(element);
            }
            new Image().src = "http://localhost/x.png";
        }"""
    )
    page.wait_for_function("stopped.length === 3")
    assert page.evaluate("stopped.sort()") == ["img-src", "script-src-elem", "style-src-elem"]
    assert page.title() == "Events report, 24 Nov 2026"


@pytest.fixture
def plain(chromium: Browser, file: Path) -> Iterator[Page]:
    """The page with scripts disabled."""
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(file.as_uri())
        yield page


def test_without_scripts_everything_is_there(plain: Page) -> None:
    """Every figure is in the page; only the buttons are missing."""
    assert plain.locator("button").count() == 0
    expect(plain.locator(".figures .value").first).to_have_text(str(len(rows())))
    expect(plain.locator("section:has(#products) tbody tr")).to_have_count(len(HOSTILE))
