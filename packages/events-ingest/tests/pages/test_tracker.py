"""`/tracker.js` as the collector serves it. test_tracker_*.py and tests/ test what it does."""

from __future__ import annotations

import gzip
import re
from typing import Any

import httpx
import pytest

from events_ingest.pages.files import STATIC
from events_schema import Contract
from ingest_support.collector_app import ask, collector
from ingest_support.contracts import CONTRACT, SHOP

MOST_BYTES = 5 * 1024
WEEK = 7 * 86400


def script(**settings: Any) -> httpx.Response:
    """The tracker as a browser that accepts gzip receives it."""
    return ask(collector(**settings), "GET", "/tracker.js", headers={"Accept-Encoding": "gzip"})


def test_it_is_small() -> None:
    """The compressed script has less than 5 KiB and no comments."""
    answer = script(event_time_back=50 * 365 * 86400)  # the longest that the settings take
    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) < MOST_BYTES
    assert len(gzip.compress(answer.content)) < MOST_BYTES
    assert "// " not in answer.text


def test_pages_of_other_origins_may_load_and_keep_it() -> None:
    """Pages of other origins may load it, even isolated ones, and cache it for an hour."""
    headers = script().headers
    assert headers["Content-Type"].startswith("text/javascript")
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert headers["Cache-Control"] == "public, max-age=3600"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_it_knows_the_contract_and_the_longest_event() -> None:
    """It contains the contract's own fields and the longest length of an event."""
    app = collector(contract=SHOP, max_event_bytes=1000)
    served = ask(app, "GET", "/tracker.js").text

    assert 'FIELDS=[["plan","string"],["trial","bool"],["price","float64"]' in served
    assert "EVENT_BYTES=1000;" in served
    assert "FIELDS=[];" in script().text


@pytest.mark.parametrize("back", [WEEK, 7200])
def test_it_knows_the_collectors_window(back: int) -> None:
    """It contains the collector's window."""
    assert re.findall(r"WINDOW=(\d+);", script(event_time_back=back).text) == [str(back)]


def test_its_types_name_what_it_has() -> None:
    """`tracker.d.ts` is served, and has the same methods, options and statistics."""
    types = ask(collector(), "GET", "/tracker.d.ts")
    assert types.status_code == 200
    source = (STATIC / "tracker.js").read_text("utf-8")
    api = source.partition("window.events = {")[2].partition("\n  };")[0]
    methods = re.findall(r"^    (\w+)[(,]", api, re.MULTILINE)
    assert methods == re.findall(r"^  (\w+)\(", types.text, re.MULTILINE)
    options = re.findall(r"(\w+)(?: = \w+)?", re.findall(r"const \{(.*?)\} =", api)[0])
    declared = types.text.partition("interface EventsOptions {")[2].partition("\n}")[0]
    assert set(options) == set(re.findall(r"^  (\w+)\??:", declared, re.MULTILINE))


OWN_TYPES = r"""
  /** what the customer pays for: *\/ free, or pro */
  plan?: string | null;
  /** true or false */
  trial?: boolean | null;
  /** a finite number */
  price?: number | null;
  /** a 32-bit integer */
  seats?: number | null;
  /** a 64-bit integer */
  order_number?: number | null;
  /** a time with a time zone */
  renewed?: Date | string | null;
"""


@pytest.mark.parametrize(("contract", "own"), [(CONTRACT, "\n"), (SHOP, OWN_TYPES)])
def test_its_types_have_the_own_fields(contract: Contract[Any], own: str) -> None:
    """Each own field has its type and its description, which cannot end the comment early."""
    types = ask(collector(contract=contract), "GET", "/tracker.d.ts")

    assert types.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert f"interface EventsFields {{{own}}}" in types.text


def test_no_page_is_kept_from_the_back_forward_cache() -> None:
    """The script has no handler for `unload` or `beforeunload`, which would prevent caching."""
    assert not re.search(r"[\"'](before)?unload", (STATIC / "tracker.js").read_text("utf-8"))
