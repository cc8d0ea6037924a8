"""A commit that exchanges a folder is listed whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events_schema.runtime.errors import TableDamaged
from events_schema.runtime.files import exchange
from events_schema.tables import listing
from events_schema.tables.commit_log import commit_path
from events_schema.tables.listing import failed_files, list_table, table_files
from events_schema.tables.partitions import partition_files
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import FileChange, StagedFile

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TODAY, YESTERDAY = "raw/event_date=2026-01-31", "raw/event_date=2026-01-30"
FAILED = "raw.failed"


@dataclass
class Writer:
    """Writes a table and its log by hand."""

    paths: TablePaths
    commits: int = 0

    def store(self, *finals: str) -> None:
        """Commit these files, and put them into the table."""
        for final in finals:
            path = self.paths.target.parent / final
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        self._commit(finals)

    def commit_exchange(self, folder: str, new: Sequence[str], removed: Sequence[str]) -> Path:
        """Commit an exchange of the folder and stop before it; return what to exchange it with."""
        old = self.paths.target.parent / folder
        staged = self.paths.staging / f"{self.commits}" / "exchanged"
        staged.mkdir(parents=True)
        for path in old.iterdir():
            if path.name not in removed:
                (staged / path.name).hardlink_to(path)
        for name in new:
            (staged / name).touch()
        self._commit(
            [f"{folder}/{name}" for name in new], [f"{folder}/{name}" for name in removed], folder
        )
        return staged

    def _commit(
        self, finals: Sequence[str], removed: Sequence[str] = (), exchanged: str = ""
    ) -> None:
        files = [StagedFile(final=final, rows=1, staged=final) for final in finals]
        change = FileChange(
            number=self.commits,
            committed_at=NOON,
            staging=f"{self.commits}",
            table_files=tuple(file for file in files if file.day),
            failed_files=tuple(file for file in files if not file.day),
            removed=tuple(removed),
            exchanged=exchanged,
        )
        self.paths.log.mkdir(parents=True, exist_ok=True)
        commit_path(self.paths.log, self.commits).write_text(change.model_dump_json())
        self.commits += 1


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    """The writer of a table with two files of each of two days, and two of failed events."""
    writer = Writer(TablePaths(tmp_path / "raw"))
    for name in ("0.parquet", "1.parquet"):
        writer.store(f"{TODAY}/{name}", f"{YESTERDAY}/{name}", f"{FAILED}/{name}")
    return writer


def listed(writer: Writer) -> dict[str, list[str]]:
    """Return the names of the listed files by folder, and check that the snapshot has the same."""
    target = writer.paths.target
    found = list_table(target)
    assert found.files == table_files(target)
    assert found.snapshot is not None
    folder = target.parent
    files = [*found.files, *failed_files(writer.paths.failed)]
    known = [*found.snapshot.table_files, *found.snapshot.failed_files]
    assert {str(path.relative_to(folder)) for path in files} == {*known}
    by_folder: dict[str, list[str]] = {}
    for path in files:
        by_folder.setdefault(str(path.parent.relative_to(folder)), []).append(path.name)
    return by_folder


def number(writer: Writer) -> int:
    """Return the number of the listed snapshot."""
    snapshot = list_table(writer.paths.target).snapshot
    assert snapshot is not None
    return snapshot.number


BEFORE = ["0.parquet", "1.parquet"]


@pytest.mark.parametrize("folder", [YESTERDAY, FAILED])
@pytest.mark.parametrize(
    ("new", "removed", "after"),
    [
        (["2.parquet"], BEFORE, ["2.parquet"]),
        (["2.parquet", "3.parquet"], BEFORE, ["2.parquet", "3.parquet"]),
        (["2.parquet"], ["0.parquet"], ["1.parquet", "2.parquet"]),
        ([], ["1.parquet"], ["0.parquet"]),
        ([], BEFORE, []),
    ],
    ids=["one", "two", "one stays", "none new", "none left"],
)
def test_an_exchange_is_listed_when_it_has_happened(
    writer: Writer, folder: str, new: list[str], removed: list[str], after: list[str]
) -> None:
    """If the process was killed before it, readers see the old files, all of them."""
    others = {name: BEFORE for name in (TODAY, YESTERDAY, FAILED) if name != folder}
    staged = writer.commit_exchange(folder, new, removed)
    assert listed(writer) == {**others, folder: BEFORE}
    assert number(writer) == 1
    exchange(staged, writer.paths.target.parent / folder)
    seen = {**others, folder: after} if after else others
    assert listed(writer) == seen
    assert number(writer) == 2
    shutil.rmtree(staged.parent)  # the writer has finished
    assert listed(writer) == seen


@pytest.mark.parametrize("first", ["exchange", "look"])
def test_an_exchange_between_the_log_and_the_files_is_noticed(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """A reader that has read the log and finds, or may find, other files reads both again."""
    staged = writer.commit_exchange(TODAY, ["2.parquet"], BEFORE)
    looks: list[list[Path]] = []

    def look(target: Path) -> list[Path]:
        found = partition_files(target)
        if not looks:
            exchange(staged, target.parent / TODAY)
        looks.append(partition_files(target) if first == "exchange" else found)
        return looks[-1]

    monkeypatch.setattr(listing, "partition_files", look)
    assert listed(writer)[TODAY] == ["2.parquet"]


def test_the_files_of_an_earlier_exchange_are_replaced_by_the_next(writer: Writer) -> None:
    """A day may be compacted again after late events."""
    for name, after in (("2.parquet", "3.parquet"), ("4.parquet", "5.parquet")):
        before = sorted(path.name for path in (writer.paths.target.parent / TODAY).iterdir())
        staged = writer.commit_exchange(TODAY, [name], before)
        exchange(staged, writer.paths.target.parent / TODAY)
        shutil.rmtree(staged.parent)
        writer.store(f"{TODAY}/{after}")
    assert listed(writer)[TODAY] == ["4.parquet", "5.parquet"]


def test_a_foreign_file_in_an_exchanged_folder_is_refused(writer: Writer) -> None:
    """Before and after the exchange, only files of the log may be in the folder."""
    staged = writer.commit_exchange(TODAY, ["2.parquet"], BEFORE)
    folder = writer.paths.target.parent / TODAY
    for _ in ("before", "after"):
        (folder / "mine.parquet").touch()
        with pytest.raises(TableDamaged, match=r"mine\.parquet is not in the log"):
            list_table(writer.paths.target)
        (folder / "mine.parquet").unlink()
        exchange(staged, folder)


def test_a_plain_folder_has_no_snapshot(tmp_path: Path) -> None:
    """Its parquet files are listed, whether they are in partitions or not."""
    day = tmp_path / "event_date=2026-01-31"
    day.mkdir()
    files = [tmp_path / "0.parquet", day / "1.parquet"]
    for path in files:
        path.touch()
    found = list_table(tmp_path)
    assert (found.files, found.snapshot) == (files, None)
