"""The table's log: one JSON file per commit, numbered without gaps and never replaced.

To keep the log small, `FOLD_COMMITS` commits at a time are folded into one file, the state of the
table after them, and then deleted. `events_schema.tables.commit_log` reads it.
"""

from __future__ import annotations

from pathlib import Path

from events_schema.runtime.files import create_new
from events_schema.tables.commit_log import (
    commit_numbers,
    commit_path,
    fold_numbers,
    fold_path,
    read_entries,
)
from events_stream.table.folder.commit import Commit
from events_stream.table.folder.state import TableState

FOLD_COMMITS = 100
"""How many commits are folded at a time."""


class CommitLog:
    """The log in `folder`, up to the last commit that was read or appended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.state = TableState()
        self.last: Commit | None = None
        """The newest commit, the only one that may be unfinished; None after it was folded."""

    def refresh(self) -> None:
        """Read what is new, even while another process writes. Raises `TableDamaged`."""
        fold, commits = read_entries(self._folder, self.state.number, TableState, Commit)
        if fold is not None:
            self.state, self.last = fold, None
        for commit in commits:
            self.state, self.last = self.state.after(commit), commit

    def unfinished(self, staging: Path) -> Commit | None:
        """Return the newest commit if some or all of its files are still in `staging`."""
        there = self.last is not None and (staging / self.last.staging_name).is_dir()
        return self.last if there else None

    def append(self, commit: Commit) -> None:
        """Add `commit` to the log in one step; after this, the change is committed."""
        path = commit_path(self._folder, commit.number)
        create_new(path, commit.model_dump_json(indent=1).encode())
        self.state, self.last = self.state.after(commit), commit

    def fold(self) -> bool:
        """Fold the commits if there are at least `FOLD_COMMITS`; return whether it did.

        The last commit must be finished. If the process is killed after this, the log has the
        commits twice until `tidy` deletes them.
        """
        if len(commit_numbers(self._folder)) < FOLD_COMMITS:
            return False
        path = fold_path(self._folder, self.state.number)
        if not path.exists():
            create_new(path, self.state.model_dump_json().encode())
        self.last = None
        return True

    def tidy(self) -> None:
        """Delete the commits and older folds that the newest fold includes, the oldest first."""
        newest = max(fold_numbers(self._folder), default=-1)
        for number in commit_numbers(self._folder):
            if number <= newest:
                commit_path(self._folder, number).unlink()
        for number in fold_numbers(self._folder):
            if number < newest:
                fold_path(self._folder, number).unlink()


def read_log(folder: Path) -> CommitLog:
    """Return the log in `folder`, even while a stream writes. Raises `TableDamaged`."""
    log = CommitLog(folder)
    log.refresh()
    return log


def read_state(folder: Path) -> TableState:
    """Return the table's state from the log in `folder`, as `read_log` does."""
    return read_log(folder).state
