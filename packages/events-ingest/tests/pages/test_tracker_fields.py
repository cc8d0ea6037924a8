"""The contract's own fields in the tracker, in a real Chromium with a scripted collector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page
from pydantic import create_model

from events_ingest import ServeSettings
from events_schema import Contract, Event, Text
from ingest_support.browser import new_app, stats, visit, wait_until_sent
from ingest_support.contracts import SHOP
from ingest_support.scripted_collector import Collector, scripted_collector

pytestmark = pytest.mark.extended


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector with the shop's contract."""
    with scripted_collector(SHOP) as collector:
        yield collector


@pytest.fixture
def page(context: BrowserContext, collector: Collector) -> Page:
    """A page that tracks only what it calls itself."""
    return visit(context, collector.site.url(new_app(), query='data=data-auto="false"'))


def said_by(page: Page) -> list[str]:
    """What the page writes to the console from now on, and what it throws."""
    said: list[str] = []
    page.on("console", lambda each: said.append(each.text))
    page.on("pageerror", lambda each: said.append(str(each)))
    return said


TAKEN = [
    "undefined",
    "null",
    "{}",
    "{plan: null, trial: undefined}",
    "{plan: 'pro', trial: false, price: 9.5, seats: -(2 ** 31)}",
    "{plan: '\\u{1f600}'.repeat(256), price: -0, seats: 0, order_number: 0}",
    "{price: Number.MAX_VALUE, order_number: Number.MAX_SAFE_INTEGER}",
    "{price: 5e-324, order_number: Number.MIN_SAFE_INTEGER, seats: 2 ** 31 - 1}",
    "{renewed: new Date(0)}",
    "{renewed: new Date(253402300799999)}",
    "{renewed: '2026-01-31T12:00:00.123456+05:30'}",
    "{renewed: '2026-01-31t12:00:00z'}",
    "Object.assign(Object.create({colour: 'inherited'}), {plan: 'own'})",
]


def test_the_collector_takes_what_the_tracker_takes(collector: Collector, page: Page) -> None:
    """Whatever is tracked without an error arrives and is a valid event of the contract."""
    said = said_by(page)
    for fields in TAKEN:
        page.evaluate(f"events.track('own', null, null, {fields})")
    page.evaluate("date => events.track('own', 'last', 1, { renewed: new Date(date) })", 1)
    wait_until_sent(page)
    texts = [json.dumps(each).encode() for one in collector.requests for each in one.events]
    events = [SHOP.parse_event(text) for text in texts]

    assert said == []
    assert len(events) == len(TAKEN) + 1
    own = [each.model_dump(include=set(SHOP.own_types), exclude_none=True) for each in events]
    assert own[:5] == [{}] * 4 + [{"plan": "pro", "trial": False, "price": 9.5, "seats": -(2**31)}]
    assert own[-2:] == [{"plan": "own"}, {"renewed": datetime(1970, 1, 1, 0, 0, 0, 1000, UTC)}]


INTEGER, SAFE, NUMBER = "a 32-bit integer", "a safe integer", "a finite number"
TEXT, FLAG = "1 to 256 characters", "true or false"
TIME = "a Date from 1970 on, or its text in RFC 3339"
KNOWN = f"a field of the contract ({','.join(SHOP.own_types)})"
FORBIDDEN = [
    *(("plan", value, TEXT) for value in ("''", "'x'.repeat(257)", "'\\ud800'", "7", "['x']")),
    *(("trial", value, FLAG) for value in ("0", "1", "'true'", "new Boolean(true)")),
    *(("price", value, NUMBER) for value in ("'1'", "NaN", "Infinity", "1n", "true", "[1]")),
    *(("seats", value, INTEGER) for value in ("'1'", "1.5", "2 ** 31", "NaN", "true", "1n")),
    *(("order_number", value, SAFE) for value in ("2 ** 53", "1.5", "'1'", "1n", "Symbol()")),
    *(("renewed", value, TIME) for value in ("new Date(NaN)", "new Date(-1)", "0", "'now'", "{}")),
    *(("renewed", value, TIME) for value in ("new Date(253402300800000)", "'2026-01-31'")),
    *(("renewed", value, TIME) for value in ("'2026-13-31T12:00:00Z'", "'2026-01-31T12:00:00'")),
    *((name, "'x'", KNOWN) for name in ("colour", "user_id", "constructor", "toString", "0")),
    ("colour", "null", KNOWN),
    ("['__proto__']", "'x'", KNOWN),
]


def test_what_the_contract_forbids_is_told_and_not_sent(collector: Collector, page: Page) -> None:
    """One line in the console names the field, what is expected and the value; all are counted."""
    said = said_by(page)
    for count, (name, value, expected) in enumerate(FORBIDDEN, 1):
        page.evaluate(f"events.track('own', null, null, {{ {name}: {value} }})")
        assert len(said) == count, (name, value)
        named = name.strip("[']")
        assert said[-1].startswith(f"events: {named} must be {expected}, but is ")
    for fields in ("'text'", "7", "true", "() => 1"):
        page.evaluate(f"events.track('own', null, null, {fields})")
        assert said[-1].startswith("events: fields must be an object, but is ")

    assert stats(page)["dropped"]["invalid"] == len(FORBIDDEN) + 4
    assert stats(page)["queued"] == 0
    assert collector.requests == []


TEXTS: dict[str, Any] = {f"text_{n}": (Text | None, None) for n in range(40)}
WIDE: Contract[Any] = Contract(create_model("WideEvent", __base__=Event, **TEXTS))
"""A contract whose longest events are longer than the collector accepts."""


def test_an_event_that_is_too_long_is_told_and_keeps_no_other(context: BrowserContext) -> None:
    """An event that the collector would not accept is not kept, and the next one arrives."""
    with scripted_collector(WIDE) as collector:
        page = visit(context, collector.site.url(new_app(), query='data=data-auto="false"'))
        said = said_by(page)
        own = dict.fromkeys(WIDE.own_types, "\U0001f600" * 256)
        page.evaluate("own => events.track('long', null, null, own)", own)
        page.evaluate("events.track('short')")
        wait_until_sent(page)

    assert [each.partition(", but is ")[0] for each in said] == [
        f"events: an event must be at most {ServeSettings().max_event_bytes} bytes"
    ]
    assert stats(page)["dropped"]["invalid"] == 1
    assert [each["event_category"] for each in collector.requests[0].events] == ["short"]
