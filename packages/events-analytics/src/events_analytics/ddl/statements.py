"""The SQL statements with which an engine can read the raw table and the enriched one."""

from __future__ import annotations

from typing import Any

from events_analytics.ddl.addresses import current_version, locate
from events_analytics.ddl.declared_table import DeclaredTable
from events_analytics.ddl.dialects import DIALECTS, Dialect
from events_analytics.settings import DdlSettings, Engine
from events_analytics.versions.layout import Layout
from events_schema import Contract, UserMetrics, column_names

RAW, ENRICHED, USERS = "raw_events", "enriched_events", "user_metrics"


def ddl(  # noqa: PLR0917
    engine: Engine,
    contract: Contract[Any],
    source: str,
    target: str,
    layout: Layout,
    location: str | None,
) -> str:
    """Return statements for `engine` that declare `raw_events` and `enriched_events`.

    `source` and `target` are local folders. `location` is the engine's address of the folder that
    contains both, or None if the engine uses the local paths. With `Layout.USERS`, the target is
    declared as `user_metrics`, and `enriched_events` is a view. The folders need not exist.
    Raises `UsageError`.
    """
    seen = locate(engine, source, target, location)
    dialect = DIALECTS[engine]
    folder = seen.result
    if engine is Engine.ATHENA:  # in S3, folders cannot be exchanged in one step
        folder += f"/{current_version(target) or 'VERSION'}"
    raw = DeclaredTable(RAW, contract.stored, seen.raw, partitioned=True)
    result = (
        DeclaredTable(ENRICHED, contract.enriched, folder)
        if layout is Layout.EVENTS
        else DeclaredTable(USERS, UserMetrics, folder)
    )
    view = [_view(dialect, contract)] if layout is Layout.USERS else []
    return "\n\n".join([dialect.opening, dialect.raw(raw), dialect.result(result), *view])


def _view(dialect: Dialect, contract: Contract[Any]) -> str:
    """Return the view that joins both; it has the raw table's rows, because users are unique."""
    prefix = dialect.schema_prefix
    raw = frozenset(column_names(contract.stored))
    selected = ",\n".join(
        f"    {'r' if name in raw else 'm'}.{name}" for name in column_names(contract.enriched)
    )
    return (
        "-- The enriched table. Where one of this name is a table: drop that, its files stay.\n"
        f"CREATE OR REPLACE VIEW {prefix}{ENRICHED} AS\nSELECT\n{selected}\n"
        f"FROM {prefix}{RAW} AS r\n"
        f"LEFT JOIN {prefix}{USERS} AS m ON r.user_id = m.user_id;"
    )


def print_ddl(settings: DdlSettings) -> None:
    """Print the SQL of the tables."""
    contract = settings.load_contract()
    tables = settings.source, settings.target, settings.layout, settings.location
    print(ddl(settings.engine, contract, *tables))
