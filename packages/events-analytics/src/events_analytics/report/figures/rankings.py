"""Ranks the products, and the actions by category."""

from __future__ import annotations

from itertools import groupby

from events_analytics.report.model import Categories, Category, Product, Products, Rest
from events_schema.runtime.database import Database

ACTIONS = 5
"""How many actions are shown separately; people cannot distinguish more colours."""

_COMBINATIONS = """
CREATE TEMP TABLE combinations AS
SELECT app_name, event_category, event_action, count(*) AS events,
       sum(event_value)::BIGINT AS value
FROM events GROUP BY ALL
"""

# Null is one of the names; it comes last among names with the same number of events.
_TOP = """
CREATE TEMP TABLE {table} AS
SELECT name, events, value, row_number() OVER (ORDER BY events DESC, name NULLS LAST) AS place
FROM (
    SELECT {column} AS name, sum(events)::BIGINT AS events, sum(value)::BIGINT AS value
    FROM combinations GROUP BY name ORDER BY events DESC, name NULLS LAST LIMIT {limit:d}
)
"""

_USAGE = """
CREATE TEMP TABLE usage AS
SELECT user_id, place, count(*) AS events
FROM events LEFT JOIN products ON app_name IS NOT DISTINCT FROM name
GROUP BY user_id, place
"""

_PRODUCTS = """
SELECT name, products.events, value, count(user_id)
FROM products JOIN usage USING (place)
GROUP BY place, name, products.events, value ORDER BY place
"""

_CATEGORIES = """
SELECT c.place, c.name, a.place, sum(combinations.events)::BIGINT
FROM combinations
    JOIN categories AS c ON event_category IS NOT DISTINCT FROM c.name
    LEFT JOIN actions AS a ON event_action IS NOT DISTINCT FROM a.name
GROUP BY ALL ORDER BY c.place
"""

_SIZE = """
SELECT count({column}), count(*), coalesce(sum(events), 0)::BIGINT
FROM (SELECT {column}, sum(events) AS events FROM combinations GROUP BY {column})
"""


def read_products(database: Database, top: int) -> Products:
    """Return the products of the view `events`.

    Creates the tables `combinations` (see `_COMBINATIONS`) and `users` (`user_id`, `events`).
    """
    database.ask(_COMBINATIONS)
    database.ask(_TOP.format(table="products", column="app_name", limit=top))
    database.ask(_USAGE)
    database.ask(
        "CREATE TEMP TABLE users AS "
        "SELECT user_id, sum(events)::BIGINT AS events FROM usage GROUP BY user_id"
    )
    rows = tuple(
        Product(name=name, events=events, value=value, users=users)
        for name, events, value, users in database.ask(_PRODUCTS)
    )
    names, rest = _size(database, "app_name", [row.events for row in rows])
    return Products(names=names, rows=rows, rest=rest)


def read_categories(database: Database, top: int) -> Categories:
    """Return the categories of the table `combinations`, and their actions."""
    database.ask(_TOP.format(table="categories", column="event_category", limit=top))
    database.ask(_TOP.format(table="actions", column="event_action", limit=ACTIONS))
    actions = [name for (name,) in database.ask("SELECT name FROM actions ORDER BY place")]
    found = groupby(database.ask(_CATEGORIES), key=lambda row: (row[0], row[1]))
    rows = tuple(
        _category(name, len(actions), {action: events for _, _, action, events in group})
        for (_, name), group in found
    )
    names, rest = _size(database, "event_category", [row.events for row in rows])
    action_names, _ = _size(database, "event_action", [])
    return Categories(
        names=names, action_names=action_names, actions=tuple(actions), rows=rows, rest=rest
    )


def _category(name: str | None, actions: int, by_place: dict[int | None, int]) -> Category:
    return Category(
        name=name,
        events=sum(by_place.values()),
        by_action=tuple(by_place.get(place, 0) for place in range(1, actions + 1)),
        other_actions=by_place.get(None, 0),
    )


def _size(database: Database, column: str, shown: list[int]) -> tuple[int, Rest | None]:
    """Return the number of different names, and the sums of those that are not shown."""
    names, groups, events = database.one(_SIZE.format(column=column))
    if groups == len(shown):
        return names, None
    return names, Rest(names=groups - len(shown), events=events - sum(shown))
