"""The list of the raw table's files comes from its log."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics_support.logged_table import LoggedTable
from analytics_support.own_fields import DEFAULT, PLAN, SHOP, rows_of, write_raw
from events_analytics.raw import files as files_module
from events_analytics.raw.files import list_raw
from events_analytics.raw.steady import steadily
from events_analytics.report.tables import raw_files
from events_schema import NotAnEvolution, StoredEvent
from events_schema.runtime.errors import TableDamaged
from events_schema.tables.paths import TablePaths

DAY = "2026-11-24"


def events(count: int) -> list[StoredEvent]:
    """Return rows of a day."""
    names = StoredEvent.model_fields
    row = StoredEvent.model_validate(dict.fromkeys(names))
    time = datetime.fromisoformat(DAY).replace(tzinfo=UTC)
    return [row.model_copy(update={"event_time": time, "user_id": each}) for each in range(count)]


@pytest.fixture
def table(tmp_path: Path) -> LoggedTable:
    """A table with two batches."""
    table = LoggedTable(tmp_path / "raw")
    table.store(events(3))
    table.store(events(2))
    return table


def test_a_list_has_the_number_of_its_commit(table: LoggedTable) -> None:
    """A folder without a log has none."""
    with_log = list_raw(table.target, DEFAULT)
    shutil.rmtree(TablePaths(table.target).control)
    without_log = list_raw(table.target, DEFAULT)
    assert (with_log.commit, without_log.commit) == (1, None)
    assert with_log.files == without_log.files


def test_a_file_with_other_rows_than_logged_is_refused(table: LoggedTable) -> None:
    """A file that was replaced by hand is named in one line, by `run` and by `report`."""
    path = write_raw(table.target.parent / table.files(DAY)[0].final, DEFAULT, events(4))
    with pytest.raises(TableDamaged) as refused:
        list_raw(table.target, DEFAULT)
    assert str(refused.value) == (
        f"{path} has 4 rows, but the log {table.target}.control/log says 3; restore the file from "
        f"a backup"
    )
    with pytest.raises(TableDamaged, match="has 4 rows"):
        raw_files(table.target, DEFAULT, None)


def test_own_fields_of_the_table_are_required(tmp_path: Path) -> None:
    """A contract that lacks one of them is refused, by `run` and by `report`."""
    table = LoggedTable(tmp_path / "raw", SHOP)
    table.store(rows_of(SHOP, events(1)))
    for contract in (DEFAULT, PLAN):
        with pytest.raises(NotAnEvolution, match=f"the table {table.target} has the own field"):
            list_raw(table.target, contract)
        with pytest.raises(NotAnEvolution, match="--contract"):
            raw_files(table.target, contract, None)
    assert list_raw(table.target, SHOP).rows == 1


@pytest.mark.parametrize("step", ["read_footer", "_column_bytes"])
def test_a_day_that_is_exchanged_while_it_is_listed_is_listed_again(
    table: LoggedTable, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The list is that of the commit after the exchange."""
    before = getattr(files_module, step)

    def exchanged(*arguments: object) -> object:
        monkeypatch.setattr(files_module, step, before)
        table.compact(DAY)
        return before(*arguments)

    monkeypatch.setattr(files_module, step, exchanged)
    raw = steadily(lambda: list_raw(table.target, DEFAULT))
    assert (raw.commit, raw.rows, len(raw.files)) == (2, 5, 1)
