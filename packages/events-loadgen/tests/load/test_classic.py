"""The classic profile."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from events_loadgen import classic_events
from events_schema import parse_event

SEEDS = st.integers(0, 2**63)


def parsed(seed: int, events: int = 50) -> list[Any]:
    """Read generated events as the collector does."""
    return [parse_event(json.dumps(event).encode()) for event in classic_events(events, seed)]


@given(SEEDS)
def test_every_event_is_valid_and_has_its_own_id(seed: int) -> None:
    """The contract accepts each event, and no id comes twice."""
    ids = [event.event_id for event in parsed(seed)]
    assert None not in ids
    assert len(set(ids)) == 50


@given(SEEDS)
def test_a_seed_repeats_its_events(seed: int) -> None:
    """The same seed gives the same events, ids included; fewer events are the first of more."""
    assert list(classic_events(20, seed)) == list(islice(classic_events(50, seed), 20))


def test_the_events_of_a_seed_stay_the_same_from_release_to_release() -> None:
    """A run can be repeated with a later release of the same major version."""
    first = {
        "event_id": "cd613e30-d8f1-4adf-91b7-584a2265b1f5",
        "user_id": 1,
        "app_name": "product_2",
        "event_action": "page_view",
        "event_category": "category_2",
        "event_value": 37,
    }
    second = {
        "event_id": "c9e9c616-612e-4696-a6ce-cc1b78e51061",
        "user_id": 2,
        "app_name": "product_1",
        "event_category": "category_1",
        "event_value": 37,
    }
    assert list(classic_events(2, seed=1)) == [first, second]


def test_the_profile_holds_what_it_promises() -> None:
    """The events speak of exactly these users, products, categories, actions and values."""
    events = parsed(seed=7, events=2000)
    assert {event.user_id for event in events} == {1, 2, 3, 4, 5, 6}
    assert {event.app_name for event in events} == {"product_1", "product_2", "product_3"}
    categories = {event.event_category for event in events}
    assert categories == {"category_1", "category_2", "category_3"}
    actions = {event.event_action for event in events}
    assert actions == {"page_view", "button_click", "scroll", None}
    assert {event.event_value for event in events} == {5, 8, 12, 37, 54, None}
