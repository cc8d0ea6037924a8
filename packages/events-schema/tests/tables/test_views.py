"""Views of exactly some files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from events_schema.event import StoredEvent, UserMetrics

from events_schema.runtime.database import Database, open_database
from events_schema.tables.views import view_files


@pytest.fixture
def database() -> Iterator[Database]:
    """A DuckDB without tables."""
    with open_database() as database:
        yield database


def write(database: Database, path: Path, user_id: int) -> Path:
    """Write a parquet file with one row, of that user."""
    path.parent.mkdir(exist_ok=True)
    row = f"SELECT {user_id} AS user_id, 2::BIGINT AS u_count, 'buy' AS u_mp_ea"
    database.ask(f"COPY ({row}) TO '{path}' (FORMAT parquet)")
    return path


def described(database: Database, name: str) -> dict[str, str]:
    """The columns of a view, and their types."""
    return {column: type_ for column, type_, *_ in database.ask(f"DESCRIBE {name}")}


def test_a_view_of_no_files_has_the_columns_of_its_model(database: Database) -> None:
    """Queries of it work, and find no row."""
    view_files(database, "stored", [], StoredEvent)
    assert described(database, "stored") == {
        "event_time": "TIMESTAMP",
        "user_id": "INTEGER",
        "app_name": "VARCHAR",
        "event_action": "VARCHAR",
        "event_category": "VARCHAR",
        "event_value": "INTEGER",
        "event_id": "VARCHAR",
        "received_time": "TIMESTAMP",
    }
    assert database.one("SELECT count(*) FROM stored") == (0,)


def test_a_view_of_no_files_has_the_types_of_one_with_files(
    database: Database, tmp_path: Path
) -> None:
    """A query of the one can be asked of the other."""
    view_files(database, "without_files", [], UserMetrics)
    view_files(database, "with_files", [write(database, tmp_path / "a.parquet", 1)], UserMetrics)
    assert described(database, "without_files") == described(database, "with_files")


def test_a_view_has_the_rows_of_exactly_its_files(database: Database, tmp_path: Path) -> None:
    """Other files of the folder are left out, also those that a file's name would match."""
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
    """The view has the columns of the files, although their folder names a day."""
    file = write(database, tmp_path / "event_date=2026-01-31" / "a.parquet", 1)
    view_files(database, "metrics", [file], UserMetrics)
    assert list(described(database, "metrics")) == ["user_id", "u_count", "u_mp_ea"]
