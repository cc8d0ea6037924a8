"""A team's own columns: their names in the queries, and the values of their text fields."""

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

# Null is one of the values; it comes last among values with the same number of events.
_TOP = "SELECT name, events FROM counted ORDER BY events DESC, name NULLS LAST LIMIT $top"

_SIZE = "SELECT count(name), count(*), coalesce(sum(events), 0)::BIGINT FROM counted"


def own_names(contract: Contract[Any]) -> Mapping[str, str]:
    """Return the name of each own column in the view `events`.

    The original name could clash with a name in the queries, for example `name`.
    """
    return {column.name: f"own_{place}" for place, column in enumerate(contract.own_columns)}


def read_own_fields(database: Database, contract: Contract[Any], top: int) -> tuple[OwnField, ...]:
    """Return the values of the own text fields in the view `events`, in the contract's order."""
    names = own_names(contract)
    texts = (each.name for each in contract.own_columns if each.type is ColumnType.STRING)
    return tuple(_read_field(database, name, names[name], top) for name in texts)


def _read_field(database: Database, field: str, column: str, top: int) -> OwnField:
    database.ask(_COUNTED.format(column=column))
    rows = tuple(OwnValue(name=name, events=count) for name, count in database.ask(_TOP, top=top))
    names, groups, events = database.one(_SIZE)
    left = Rest(names=groups - len(rows), events=events - sum(row.events for row in rows))
    return OwnField(field=field, names=names, rows=rows, rest=left if left.names else None)
