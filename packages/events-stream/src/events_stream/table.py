"""The raw table: opening it safely, and storing a batch in one step.

A batch is stored when its commit is in the log. Its files are renamed into place right after;
whoever opens the table next finishes what a killed process left.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from events_schema.layout import PARTITION_COLUMN, TableLayout
from events_schema.posix import (
    check_renames,
    exclusive_lock,
    make_folders,
    refusing_unwritable,
    rename_new,
    sync_file,
    sync_folder,
)
from events_stream.commit import Commit, StoredFile
from events_stream.commit_log import CommitLog
from events_stream.errors import NotOurs, TableDamaged
from events_stream.staging import Staging

CONTROL_ENTRIES = {"log", "staging", "lock"}


class Table:
    """An open table, of which this process is the only writer. Use `open_table`."""

    def __init__(self, layout: TableLayout) -> None:
        self.layout = layout
        self.log = CommitLog(layout.log)

    def recover(self) -> None:
        """Finish the last commit where its process died, and delete what was not committed."""
        self.log.refresh()
        last = self.log.last
        for folder in self.layout.staging.iterdir():
            if last and folder.name == last.name:
                self._put_into_place(last)
            else:
                shutil.rmtree(folder)

    def stage(self) -> Staging:
        """Create the folder for the next commit's files."""
        folder = self.layout.staging / f"{len(self.log.commits):012d}"
        folder.mkdir()
        return Staging(folder, self.layout)

    def store(self, commit: Commit) -> None:
        """Store the batch whose files lie in its staging folder. Raises `OSError`.

        Killed before the log has the commit, nothing of it is stored; after that, all.
        """
        self._sync_staged(commit)
        self.log.append(commit)
        self._put_into_place(commit)

    def _sync_staged(self, commit: Commit) -> None:
        staging = self.layout.staging / commit.name
        staged = [staging / file.staged for file in (*commit.table_files, *commit.failed_files)]
        for path in staged:
            sync_file(path)
        for folder in {path.parent for path in staged} | {staging / "table", staging}:
            if folder.is_dir():
                sync_folder(folder)
        sync_folder(self.layout.staging)

    def _put_into_place(self, commit: Commit) -> None:
        staging = self.layout.staging / commit.name
        finals = []
        for file in (*commit.table_files, *commit.failed_files):
            final = self.layout.target.parent / file.final
            make_folders(final.parent)
            _put_file(staging / file.staged, final)
            finals.append(final)
        for folder in {final.parent for final in finals}:
            sync_folder(folder)
        shutil.rmtree(staging)

    def paths(self, files: list[StoredFile]) -> list[Path]:
        """Return where `files` lie; those of days that an operator has deleted are left out."""
        paths = [self.layout.target.parent / file.final for file in files]
        return [path for path in paths if path.exists()]


def _put_file(staged: Path, final: Path) -> None:
    try:
        rename_new(staged, final)
    except FileNotFoundError:
        if not final.exists():
            raise TableDamaged(f"{final} was committed but is gone; restore it") from None
    except FileExistsError:
        raise TableDamaged(
            f"{final} is there but was never put there by this log; move it away"
        ) from None


@contextmanager
def open_table(target: str) -> Iterator[Table]:
    """Open the table at `target` for writing, creating it where there is nothing.

    Raises `PublishError` for a target that cannot be published to, `NotOurs` for one that holds
    other files, `TableDamaged` where log and files disagree, `AlreadyLocked` for a second stream.
    """
    layout = TableLayout.at(target)
    with refusing_unwritable(layout.target):
        _refuse_foreign(layout)
        for folder in (layout.target, layout.log, layout.staging, layout.failed):
            make_folders(folder)
        check_renames(layout.staging)
    with exclusive_lock(layout.control / "lock", "events-stream"):
        table = Table(layout)
        with refusing_unwritable(layout.target):
            table.recover()
        _refuse_lost(table)
        yield table


def _refuse_foreign(layout: TableLayout) -> None:
    known = layout.log.is_dir() and any(layout.log.glob("*.json"))
    for entry in _entries(layout.target):
        if not known or not entry.name.startswith(f"{PARTITION_COLUMN}="):
            raise NotOurs(f"{entry} was not written by events-stream; give an empty --target")
    for entry in _entries(layout.control):
        if entry.name not in CONTROL_ENTRIES:
            raise NotOurs(f"{entry} was not written by events-stream; give another --target")


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def _refuse_lost(table: Table) -> None:
    stored = sum(commit.counts.stored for commit in table.log.commits)
    if stored and not any(table.layout.target.iterdir()):
        raise TableDamaged(
            f"the log in {table.layout.control} says that {stored} rows are in "
            f"{table.layout.target}, which is empty; restore it, or delete the .control and "
            f".failed folders beside it to begin anew"
        )
