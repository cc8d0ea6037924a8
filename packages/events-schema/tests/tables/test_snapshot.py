"""A snapshot has the files that the commits before it added and did not remove."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_schema.runtime.files import exchange
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import (
    FileChange,
    Snapshot,
    StagedFile,
    StoredFile,
    snapshot_after,
)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = "raw/event_date=2026-01-31"
NO_DAY = "raw/event_date=__HIVE_DEFAULT_PARTITION__"
FOLDERS = (DAY, "raw/event_date=2026-01-30", NO_DAY, "raw.failed")


def added(final: str, rows: int = 1) -> StagedFile:
    """Return a file that a commit adds."""
    return StagedFile(final=final, rows=rows, staged=Path(final).name)


@st.composite
def histories(draw: st.DrawFn) -> list[FileChange]:
    """Return commits that add files, and remove some of those that are there."""
    changes: list[FileChange] = []
    there: list[str] = []
    for number in range(draw(st.integers(1, 6))):
        removed = draw(st.lists(st.sampled_from(there), unique=True)) if there else []
        folders = draw(st.lists(st.sampled_from(FOLDERS), max_size=4))
        names = [f"{folder}/{number:012d}-{part}.parquet" for part, folder in enumerate(folders)]
        new = [added(name, draw(st.integers(1, 9))) for name in names]
        changes.append(
            FileChange(
                number=number,
                committed_at=NOON,
                table_files=tuple(file for file in new if file.day),
                failed_files=tuple(file for file in new if not file.day),
                removed=tuple(removed),
                own_types=draw(st.sampled_from([{}, {"plan": "string"}])),
            )
        )
        there = [name for name in there if name not in removed] + names
    return changes


@given(histories())
def test_a_snapshot_has_what_was_added_and_not_removed(changes: list[FileChange]) -> None:
    """Its files are in the order of the commits, without what only a commit needs."""
    snapshot = Snapshot()
    for change in changes:
        snapshot = snapshot_after(snapshot, change)
    removed = {final for change in changes for final in change.removed}
    for found, every in (
        (snapshot.table_files, [file for change in changes for file in change.table_files]),
        (snapshot.failed_files, [file for change in changes for file in change.failed_files]),
    ):
        left = [StoredFile(final=f.final, rows=f.rows) for f in every if f.final not in removed]
        assert list(found.items()) == [(file.final, file) for file in left]
    days = {Path(final).parent.name.partition("=")[2] for final in snapshot.table_files}
    assert snapshot.days == sorted(days)
    assert snapshot.rows == sum(file.rows for file in snapshot.table_files.values())
    assert (snapshot.number, snapshot.committed_at) == (changes[-1].number, NOON)
    assert snapshot.own_types == changes[-1].own_types


@given(histories())
def test_a_commit_leaves_the_snapshot_before_it_as_it_was(changes: list[FileChange]) -> None:
    """A reader may keep it."""
    before = Snapshot()
    for change in changes:
        copy = before.model_copy(deep=True)
        after = snapshot_after(before, change)
        assert before == copy
        before = after


def test_the_first_snapshot_is_empty() -> None:
    """It is the table before its first commit."""
    first = Snapshot()
    assert (first.number, first.committed_at, first.rows, first.days) == (-1, None, 0, [])


@pytest.mark.parametrize(
    ("folder", "day"),
    [(DAY, "2026-01-31"), (NO_DAY, "__HIVE_DEFAULT_PARTITION__"), ("raw.failed", None)],
)
def test_a_file_has_the_day_of_its_folder(folder: str, day: str | None) -> None:
    """Failed events have no day."""
    assert StoredFile(final=f"{folder}/000000000000.parquet", rows=1).day == day


@pytest.mark.parametrize(
    ("name", "rows_up_to", "newest"),
    [
        ("000000000012-0a1b2c3d-0003.parquet", None, 12),
        ("000000000012.parquet", None, 12),
        ("000000000012-0a1b2c3d-0003.parquet", 7, 7),
        ("000000000012-0a1b2c3d-0003.parquet", 0, 0),
    ],
)
def test_a_file_has_the_newest_commit_that_stored_one_of_its_rows(
    name: str, rows_up_to: int | None, newest: int
) -> None:
    """It is in the name, but for a file that was rewritten."""
    file = StoredFile(final=f"{DAY}/{name}", rows=1, rows_up_to=rows_up_to)
    assert file.newest_commit == newest


@pytest.fixture
def paths(tmp_path: Path) -> TablePaths:
    """An empty table with the staging folder of commit 7."""
    paths = TablePaths(tmp_path / "raw")
    (paths.staging / "000000000007-token").mkdir(parents=True)
    (tmp_path / DAY).mkdir(parents=True)
    return paths


def commit(*finals: str, removed: tuple[str, ...] = (), exchanged: str = "") -> FileChange:
    """Return commit 7, which adds and removes these files."""
    return FileChange(
        number=7,
        committed_at=NOON,
        staging="000000000007-token",
        table_files=tuple(added(final) for final in finals if final.startswith("raw/")),
        failed_files=tuple(added(final) for final in finals if final.startswith("raw.failed/")),
        removed=removed,
        exchanged=exchanged,
    )


def test_files_are_placed_when_the_last_one_is_renamed(paths: TablePaths) -> None:
    """Until then, some may be in the table; failed events count as well."""
    finals = (f"{DAY}/1.parquet", f"{DAY}/2.parquet", "raw.failed/3.parquet")
    change = commit(*finals, removed=(f"{DAY}/0.parquet",))
    paths.failed.mkdir()
    for final in finals:
        assert not change.is_placed(paths)
        (paths.target.parent / final).touch()
    assert change.is_placed(paths)


def test_a_commit_that_only_removes_files_is_placed_at_once(paths: TablePaths) -> None:
    """Nobody reads the files that it removes, whether they are deleted yet or not."""
    (paths.target.parent / DAY / "0.parquet").touch()
    assert commit(removed=(f"{DAY}/0.parquet",)).is_placed(paths)


@pytest.mark.parametrize("staging", ["000000000007-token", ""])
def test_a_commit_without_a_staging_folder_is_placed(paths: TablePaths, staging: str) -> None:
    """The folder goes last. A commit of format 1 does not name it; it has the commit's number."""
    change = commit(f"{DAY}/1.parquet").model_copy(update={"staging": staging})
    folder = (paths.staging / "000000000007-token").rename(paths.staging / change.staging_name)
    assert not change.is_placed(paths)
    folder.rmdir()
    assert change.is_placed(paths)


@pytest.mark.parametrize("new", [["9.parquet"], ["8.parquet", "9.parquet"], []])
@pytest.mark.parametrize("stays", [["2.parquet"], []])
def test_an_exchanged_folder_is_placed_in_one_step(
    paths: TablePaths, new: list[str], stays: list[str]
) -> None:
    """The commit may add no file, and files that it does not name may stay."""
    folder = paths.target.parent / DAY
    staged = paths.staging / "000000000007-token" / "exchanged"
    staged.mkdir()
    for name in ["0.parquet", "1.parquet", *stays]:
        (folder / name).touch()
    for name in [*new, *stays]:
        (staged / name).touch()
    change = commit(
        *(f"{DAY}/{name}" for name in new),
        removed=(f"{DAY}/0.parquet", f"{DAY}/1.parquet"),
        exchanged=DAY,
    )
    assert not change.is_placed(paths)
    exchange(staged, folder)
    assert change.is_placed(paths)


def test_an_exchanged_folder_may_be_gone(paths: TablePaths) -> None:
    """A day of which nothing is left is removed after the exchange."""
    (paths.target.parent / DAY).rmdir()
    assert commit(removed=(f"{DAY}/0.parquet",), exchanged=DAY).is_placed(paths)
