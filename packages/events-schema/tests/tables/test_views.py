"""Views of an exact list of files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from events_schema import (
    Bool,
    Contract,
    Event,
    Float64,
    Int32,
    Int64,
    StoredEvent,
    Text,
    Time,
    UserMetrics,
    column_names,
)
from events_schema.runtime.database import Database, open_database
from events_schema.tables.views import view_files


class ShopEvent(Event):
    """An event with an own field of each type."""

    plan: Text | None = None
    gift: Bool | None = None
    price: Float64 | None = None
    items: Int32 | None = None
    cents: Int64 | None = None
    shipped: Time | None = None


RAW = {
    "event_time": "TIMESTAMP WITH TIME ZONE",
    "user_id": "INTEGER",
    "app_name": "VARCHAR",
    "event_action": "VARCHAR",
    "event_category": "VARCHAR",
    "event_value": "INTEGER",
    "event_id": "VARCHAR",
    "received_time": "TIMESTAMP WITH TIME ZONE",
}
STORED = Contract(ShopEvent).stored
OWN = {
    "plan": "VARCHAR",
    "gift": "BOOLEAN",
    "price": "DOUBLE",
    "items": "INTEGER",
    "cents": "BIGINT",
    "shipped": "TIMESTAMP WITH TIME ZONE",
}


@pytest.fixture
def database() -> Iterator[Database]:
    """A DuckDB without tables."""
    with open_database() as database:
        yield database


def write(database: Database, path: Path, user_id: int) -> Path:
    """Write a parquet file with one row of this user."""
    path.parent.mkdir(exist_ok=True)
    row = f"SELECT {user_id} AS user_id, 2::BIGINT AS u_count, 'buy' AS u_mp_ea"
    database.ask(f"COPY ({row}) TO '{path}' (FORMAT parquet)")
    return path


def described(database: Database, name: str) -> dict[str, str]:
    """The columns of a view with their types."""
    return {column: type_ for column, type_, *_ in database.ask(f"DESCRIBE {name}")}


def test_a_view_of_no_files_has_the_columns_of_its_model(database: Database) -> None:
    """Queries of a view without files work and return no rows."""
    view_files(database, "stored", [], StoredEvent)
    assert described(database, "stored") == RAW
    assert database.one("SELECT count(*) FROM stored") == (0,)


def test_a_view_of_no_files_has_the_types_of_one_with_files(
    database: Database, tmp_path: Path
) -> None:
    """The types are the same with and without files, so a query works for both."""
    view_files(database, "without_files", [], UserMetrics)
    view_files(database, "with_files", [write(database, tmp_path / "a.parquet", 1)], UserMetrics)
    assert described(database, "without_files") == described(database, "with_files")


def test_a_view_has_the_rows_of_exactly_its_files(database: Database, tmp_path: Path) -> None:
    """Other files in the folder are left out, even those that match a file's name as a pattern."""
    folder = tmp_path / "event_date=2026-01-31"
    files = [
        write(database, folder / name, user_id)
        for user_id, name in enumerate(["a[12].parquet", "b*.parquet", "c.parquet"])
    ]
    for other in ("a1.parquet", "bb.parquet", "d.parquet"):
        write(database, folder / other, 9)
    view_files(database, "metrics", files, UserMetrics)
    assert sorted(database.ask("SELECT user_id FROM metrics")) == [(0,), (1,), (2,)]


def test_a_partition_adds_no_column(database: Database, tmp_path: Path) -> None:
    """The view has only the columns of the files, although their folder names a day."""
    file = write(database, tmp_path / "event_date=2026-01-31" / "a.parquet", 1)
    view_files(database, "metrics", [file], UserMetrics)
    assert list(described(database, "metrics")) == ["user_id", "u_count", "u_mp_ea"]


def write_raw(database: Database, path: Path, user_id: int, own: str = "") -> Path:
    """Write a parquet file with one raw row of this user; `own` are additional columns."""
    nulls = ", ".join(f"NULL::{type_} AS {name}" for name, type_ in RAW.items())
    row = f"SELECT * REPLACE ({user_id} AS user_id){own} FROM (SELECT {nulls})"
    database.ask(f"COPY ({row}) TO '{path}' (FORMAT parquet)")
    return path


@pytest.mark.parametrize("files", [0, 1])
def test_own_columns_that_no_file_has_are_null_of_their_type(
    database: Database, tmp_path: Path, files: int
) -> None:
    """The view has all columns in order, without files and with only old ones."""
    paths = [write_raw(database, tmp_path / f"{number}.parquet", 1) for number in range(files)]
    view_files(database, "stored", paths, STORED)
    assert list(described(database, "stored").items()) == [*RAW.items(), *OWN.items()]
    assert database.ask(f"SELECT {', '.join(OWN)} FROM stored") == [(None,) * len(OWN)] * files


def test_own_columns_of_some_files_are_null_in_the_others(
    database: Database, tmp_path: Path
) -> None:
    """Own columns are null for files without them, whichever file comes first."""
    files = [
        write_raw(database, tmp_path / "old.parquet", 1),
        write_raw(database, tmp_path / "newer.parquet", 2, ", 'pro' AS plan"),
        write_raw(
            database,
            tmp_path / "newest.parquet",
            3,
            ", 'x' AS other, 4 AS items, 'free' AS plan",
        ),
    ]
    for number, order in enumerate(permutations(files)):
        view_files(database, f"stored{number}", order, STORED)
        assert list(described(database, f"stored{number}")) == list(column_names(STORED))
        rows = database.ask(f"SELECT user_id, plan, items FROM stored{number} ORDER BY user_id")
        assert rows == [(1, None, None), (2, "pro", None), (3, "free", 4)]


def test_columns_that_are_not_the_models_are_left_out(database: Database, tmp_path: Path) -> None:
    """The default contract can read files with a team's columns, in any order."""
    files = [
        write_raw(database, tmp_path / "a.parquet", 1, ", 'pro' AS plan"),
        write_raw(database, tmp_path / "b.parquet", 2),
    ]
    view_files(database, "stored", files, StoredEvent)
    assert list(described(database, "stored")) == list(column_names(StoredEvent))
    assert sorted(database.ask("SELECT user_id FROM stored")) == [(1,), (2,)]
    assert database.one("SELECT count(*) FROM (SELECT * FROM stored)") == (2,)
