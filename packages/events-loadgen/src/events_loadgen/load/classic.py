"""The `classic` profile: six users of three products."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

PRODUCTS = ("product_1", "product_2", "product_3")
ACTIONS = ("page_view", "button_click", "scroll", None)
CATEGORIES = ("category_1", "category_2", "category_3")
VALUES = (5, 8, 12, 37, 54, None)
USERS = range(1, 7)


def classic_events(events: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `events` events as clients post them, each with its `event_id`.

    The same `seed` gives the same events, ids included, in every release of a major version, and
    more events begin with the same ones. An event without an action or a value leaves the field
    out.
    """
    random = Random(seed)  # noqa: S311  # repeatable on purpose; the ids are no secrets
    for _ in range(events):
        event = {
            "event_id": str(UUID(int=random.getrandbits(128), version=4)),
            "user_id": random.choice(USERS),
            "app_name": random.choice(PRODUCTS),
            "event_action": random.choice(ACTIONS),
            "event_category": random.choice(CATEGORIES),
            "event_value": random.choice(VALUES),
        }
        yield {field: value for field, value in event.items() if value is not None}
