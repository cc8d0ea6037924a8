"""A team's own columns: what the queries call them, and which values their texts have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events_analytics.report.model import OwnField, OwnValue, Rest
from events_schema import ColumnType, Contract
from events_schema.runtime.database import Database

_COUNTED = """
CREATE OR REPLACE TEMP TABLE counted AS
SELECT {column} AS name, count(*) AS events FROM events GROUP BY name
"""

# A null is one of the values: the last of those with as many events.
_TOP = "SELECT name, events FROM counted ORDER BY events DESC, name NULLS LAST LIMIT $top"

_SIZE = "SELECT count(name), count(*), coalesce(sum(events), 0)::BIGINT FROM counted"


def own_names(contract: Contract[Any]) -> Mapping[str, str]:
    """Return what the view `events` calls each own column.

    Under its own name, such as `name`, it would stand for another in our queries.
    """
    return {column.name: f"own_{place}" for place, column in enumerate(contract.own_columns)}


def read_own_fields(database: Database, contract: Contract[Any], top: int) -> tuple[OwnField, ...]:
    """Return what the own texts are in the view `events`, in the contract's order."""
    names = own_names(contract)
    texts = (each.name for each in contract.own_columns if each.type is ColumnType.STRING)
    return tuple(_read_field(database, name, names[name], top) for name in texts)


def _read_field(database: Database, field: str, column: str, top: int) -> OwnField:
    database.ask(_COUNTED.format(column=column))
    rows = tuple(OwnValue(name=name, events=count) for name, count in database.ask(_TOP, top=top))
    names, groups, events = database.one(_SIZE)
    left = Rest(names=groups - len(rows), events=events - sum(row.events for row in rows))
    return OwnField(field=field, names=names, rows=rows, rest=left if left.names else None)
