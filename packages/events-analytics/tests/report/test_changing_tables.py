"""A report on a table whose days are exchanged meanwhile counts each row once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics_support.logged_table import LoggedTable
from analytics_support.report_tables import report_on
from events_analytics.raw import files as files_module
from events_analytics.report import Scope
from events_analytics.report import reading as reading_module
from events_schema import StoredEvent
from events_schema.runtime import database as database_module

T = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = "2026-11-24"
SCOPE = Scope(T, since=None, top=3)


def event(user_id: int) -> StoredEvent:
    """Return an event of a user."""
    return StoredEvent(
        event_time=T,
        user_id=user_id,
        app_name="shop",
        event_action="view",
        event_category="page",
        event_value=5,
        event_id=None,
        received_time=T,
    )


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoggedTable:
    """A table with two batches of one day; retries come at once."""
    monkeypatch.setattr(database_module, "RETRY_SECONDS", 0)
    table = LoggedTable(tmp_path / "raw")
    table.store([event(1), event(2)])
    table.store([event(1)])
    return table


STEPS = {
    "its footers are read": (files_module, "read_footer"),
    "DuckDB reads it": (reading_module, "read_raw_figures"),
}
"""What a report does with the raw files, in order, and the function that does it."""


@pytest.mark.parametrize(
    ("change", "events"),
    [(LoggedTable.compact, 3), (lambda table, day: table.erase(day, 1), 1)],
    ids=["compact", "erase"],
)
@pytest.mark.parametrize("step", STEPS)
def test_a_day_that_is_exchanged_is_counted_once(
    table: LoggedTable,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    change: Callable[[LoggedTable, str], None],
    events: int,
) -> None:
    """The report is on the table after the exchange."""
    module, name = STEPS[step]
    original = getattr(module, name)

    def changed(*arguments: object) -> object:
        monkeypatch.setattr(module, name, original)
        change(table, DAY)
        return original(*arguments)

    monkeypatch.setattr(module, name, changed)
    assert report_on(table.target.parent, SCOPE).events == events
