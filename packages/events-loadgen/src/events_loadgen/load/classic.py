"""The `classic` profile: the events of a small product with six users."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

PRODUCTS = ("web-shop", "mobile-app", "help-centre")
ACTIONS = ("view", "click", "purchase", None)
CATEGORIES = ("navigation", "search", "checkout")
VALUES = (5, 8, 12, 37, 54, None)
USERS = range(1, 7)


def classic_events(events: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield so many events as clients post them, each with its `event_id`.

    The same `seed` gives the same events, ids included, in every release; the first of more
    events are those of fewer. `event_action` and `event_value` are left out where there is none.
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
