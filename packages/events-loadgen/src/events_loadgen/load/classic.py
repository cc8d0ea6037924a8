"""The `classic` profile: six users, three products, and a few values for each own field."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

from events_schema import Column, ColumnType, Contract

PRODUCTS = ("product_1", "product_2", "product_3")
ACTIONS = ("page_view", "button_click", "scroll", None)
CATEGORIES = ("category_1", "category_2", "category_3")
VALUES = (5, 8, 12, 37, 54, None)
USERS = range(1, 7)


def classic_events(
    events: int, seed: int, contract: Contract[Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield `events` events as clients post them, each with its `event_id`.

    With a `contract`, events also have its own fields. Without one they have only the six default
    fields, which every contract accepts. The same `seed` gives the same events, ids included, in
    every release of a major version; a larger `events` only appends to them. The values of a field
    do not depend on the contract's other fields. A field without a value is left out.
    """
    random = Random(seed)  # noqa: S311  # repeatable on purpose; the ids are not secret
    own = {each.name: _own_values(each, seed) for each in contract.own_columns} if contract else {}
    for _ in range(events):
        event = {
            "event_id": str(UUID(int=random.getrandbits(128), version=4)),
            "user_id": random.choice(USERS),
            "app_name": random.choice(PRODUCTS),
            "event_action": random.choice(ACTIONS),
            "event_category": random.choice(CATEGORIES),
            "event_value": random.choice(VALUES),
            **{name: next(values) for name, values in own.items()},
        }
        yield {field: value for field, value in event.items() if value is not None}


def _own_values(column: Column, seed: int) -> Iterator[Any]:
    random = Random(f"{seed} {column.name}")  # noqa: S311
    choices = (*_some_values(column), None)
    while True:
        yield random.choice(choices)


def _some_values(column: Column) -> tuple[Any, ...]:
    match column.type:
        case ColumnType.BOOL:
            return (False, True)
        case ColumnType.INT32 | ColumnType.INT64:
            return (1, 2, 3)
        case ColumnType.FLOAT64:
            return (0.5, 4.99, 19.95)
        case ColumnType.STRING:
            return tuple(f"{column.name}_{number}" for number in (1, 2, 3))
        case ColumnType.TIMESTAMP:
            return ("2026-01-31T08:00:00Z", "2026-02-28T16:30:00Z", "2026-03-31T23:59:59.999999Z")
