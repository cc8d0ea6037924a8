"""Tests of the classic profile."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from events_loadgen import classic_events
from events_schema import Bool, Contract, Event, Float64, Int32, Int64, Text, Time
from events_schema.testing import contracts

SEEDS = st.integers(0, 2**63)
CONTRACT = Contract(Event)


class AcmeEvent(Event):
    """An event with an own field of each type."""

    plan: Text | None = None
    trial: Bool | None = None
    price: Float64 | None = None
    seats: Int32 | None = None
    account: Int64 | None = None
    renewal: Time | None = None


ACME = Contract(AcmeEvent)


def parsed(seed: int, events: int = 50, contract: Contract[Any] = CONTRACT) -> list[Any]:
    """Parse generated events as the collector does."""
    generated = classic_events(events, seed, contract)
    return [contract.parse_event(json.dumps(event).encode()) for event in generated]


@given(SEEDS, contracts())
def test_every_event_is_valid_and_has_its_own_id(seed: int, contract: Contract[Any]) -> None:
    """Every contract accepts the events that are made for it, and every id is unique."""
    ids = [event.event_id for event in parsed(seed, contract=contract)]
    assert None not in ids
    assert len(set(ids)) == 50


@given(SEEDS, contracts(min_fields=1))
def test_own_fields_do_not_change_the_other_fields(seed: int, contract: Contract[Any]) -> None:
    """A seed gives the same ids and the same six fields with every contract."""
    own = {column.name for column in contract.own_columns}
    with_own = list(classic_events(20, seed, contract))
    without = [{name: event[name] for name in event if name not in own} for event in with_own]
    assert without == list(classic_events(20, seed))
    assert own >= {name for event in with_own for name in event} - set(CONTRACT.posted.model_fields)


@given(SEEDS)
def test_a_fields_values_do_not_depend_on_other_fields(seed: int) -> None:
    """Adding a field to a contract does not change the values of the earlier fields."""

    class LaterEvent(AcmeEvent):
        """The same event with one more field."""

        coupon: Text | None = None

    later = list(classic_events(20, seed, Contract(LaterEvent)))
    for event in later:
        event.pop("coupon", None)
    assert later == list(classic_events(20, seed, ACME))


@given(SEEDS)
def test_a_seed_repeats_its_events(seed: int) -> None:
    """The same seed gives the same events, ids included; a shorter run gives the first of them."""
    more = classic_events(50, seed, ACME)
    assert list(classic_events(20, seed, ACME)) == list(islice(more, 20))


def test_the_events_of_a_seed_stay_the_same_from_release_to_release() -> None:
    """A later release of the same major version gives the same events."""
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


def test_the_profile_has_exactly_its_documented_values() -> None:
    """The events have exactly these users, products, categories, actions and values."""
    events = parsed(seed=7, events=2000)
    assert {event.user_id for event in events} == {1, 2, 3, 4, 5, 6}
    assert {event.app_name for event in events} == {"product_1", "product_2", "product_3"}
    categories = {event.event_category for event in events}
    assert categories == {"category_1", "category_2", "category_3"}
    actions = {event.event_action for event in events}
    assert actions == {"page_view", "button_click", "scroll", None}
    assert {event.event_value for event in events} == {5, 8, 12, 37, 54, None}


def test_own_fields_have_a_few_values_of_their_type() -> None:
    """Each field takes all of its values, and is sometimes left out."""
    events = list(classic_events(500, seed=7, contract=ACME))
    found = {
        column.name: {event.get(column.name) for event in events} for column in ACME.own_columns
    }
    assert found == {
        "plan": {"plan_1", "plan_2", "plan_3", None},
        "trial": {False, True, None},
        "price": {0.5, 4.99, 19.95, None},
        "seats": {1, 2, 3, None},
        "account": {1, 2, 3, None},
        "renewal": {
            "2026-01-31T08:00:00Z",
            "2026-02-28T16:30:00Z",
            "2026-03-31T23:59:59.999999Z",
            None,
        },
    }


def test_own_values_of_a_seed_stay_the_same_from_release_to_release() -> None:
    """A later release of the same major version gives the same values for own fields."""
    own = [
        {name: event[name] for name in event if name in ACME.own_types}
        for event in classic_events(2, seed=1, contract=ACME)
    ]
    first = {
        "plan": "plan_2",
        "trial": False,
        "price": 4.99,
        "seats": 2,
        "renewal": "2026-01-31T08:00:00Z",
    }
    second = {"plan": "plan_3", "trial": True, "price": 0.5, "account": 1}
    assert own == [first, second]
