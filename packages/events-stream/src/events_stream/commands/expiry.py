"""Removes files from the table: those of old days, or those that no longer exist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import StoredFile
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.integrity import missing_files
from events_stream.table.folder.state import TableState
from events_stream.table.folder.table import Table


@dataclass(frozen=True)
class Expiry:
    """The files to remove from a table."""

    files: tuple[StoredFile, ...]

    @property
    def rows(self) -> int:
        """The number of their rows."""
        return sum(file.rows for file in self.files)

    @property
    def days(self) -> list[str]:
        """The days, YYYY-MM-DD, of those files that hold events."""
        return sorted({day for file in self.files if (day := file.day) is not None})


def old_days(state: TableState, before: date) -> Expiry:
    """Return the files of the days before `before`."""
    first = before.isoformat()
    return Expiry(tuple(f for f in state.table_files.values() if (f.day or "") < first))


def missing(paths: TablePaths, state: TableState) -> Expiry:
    """Return the files that the log lists but that do not exist."""
    listed = {**state.table_files, **state.failed_files}
    return Expiry(tuple(listed[final] for final in missing_files(paths, state)))


def expire(table: Table, before: date | None, *, apply: bool) -> Expiry:
    """Find the files of the days before `before`, or if it is None, the missing files.

    With `apply`, one commit removes them from the table, and then they are deleted. If the process
    is killed before the commit, nothing changes; after it, the next change of the table deletes
    the remaining files.
    """
    with table.change(CommitKind.EXPIRY) as change:
        state = change.state
        expiry = old_days(state, before) if before else missing(table.paths, state)
        if apply and expiry.files:
            change.removed = tuple(file.final for file in expiry.files)
        else:
            change.discard()
    return expiry
