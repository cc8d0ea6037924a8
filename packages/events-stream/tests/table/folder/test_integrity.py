"""A table and a log that do not belong together are refused, and the error says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from events_schema.runtime.errors import TableDamaged
from events_stream import open_table
from stream_support.staged_change import files, store_batch


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A table with three commits, each with a file on two days and one of failed events."""
    target = tmp_path / "raw"
    add(target, 3)
    return target


def add(target: Path, commits: int) -> None:
    """Store more commits."""
    with open_table(str(target)) as table:
        for _ in range(commits):
            store_batch(table)


def restore(folder: Path, change: Callable[[], None]) -> None:
    """Make `change`, then restore `folder` to its state before."""
    shutil.copytree(folder, folder.with_name("copy"))
    change()
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)


def assert_refused(target: Path, said: str) -> None:
    """Check that the table does not open, and does not change."""
    before = files(target.parent)
    with pytest.raises(TableDamaged, match=said), open_table(str(target)):
        pass
    assert files(target.parent) == before


@pytest.mark.parametrize(
    "gone",
    [
        "raw/event_date=2026-01-01/000000000001.parquet",
        "raw/event_date=2026-01-01",
        "raw.failed/000000000001.parquet",
    ],
)
def test_missing_files_are_refused(target: Path, gone: str) -> None:
    """The error names the first missing file, and how to remove it from the log."""
    path = target.parent / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert_refused(target, "000.*missing, but listed in the log .* expire --missing --apply")


def test_a_table_whose_files_are_all_missing_is_refused(target: Path) -> None:
    """A log without its files is not a table."""
    for day in target.iterdir():
        shutil.rmtree(day)
    assert_refused(target, "and 5 more files are missing")


def test_a_table_restored_from_an_old_copy_is_refused(target: Path) -> None:
    """The log lists files that the copy lacks."""
    restore(target, lambda: add(target, 2))
    assert_refused(target, "000000000003.parquet and 3 more files are missing")


def test_a_log_restored_from_an_old_copy_is_refused(target: Path) -> None:
    """The table has events that the stream would otherwise store again."""
    control = target.with_name("raw.control")
    restore(control, lambda: add(target, 2))
    assert_refused(target, "000000000003.parquet and 5 more files are not in the log")


def test_table_and_log_restored_from_one_copy_open(target: Path) -> None:
    """They belong together, and the stream continues from there."""
    restore(target.parent, lambda: add(target, 2))
    with open_table(str(target)) as table:
        assert table.state.number == 2


def test_a_foreign_file_among_the_days_is_refused(target: Path) -> None:
    """Readers would take it for a part of the table."""
    (target / "event_date=2026-01-01" / "mine.parquet").touch()
    assert_refused(target, "mine.parquet is not in the log")
