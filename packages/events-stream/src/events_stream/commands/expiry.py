"""Removes files from the table: those of old days, or those that no longer exist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from events_schema.tables.partitions import partition_day
from events_schema.tables.paths import TablePaths
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.integrity import missing_files
from events_stream.table.folder.state import TableState
from events_stream.table.folder.table import Table


@dataclass(frozen=True)
class Expiry:
    """The files to remove from a table, by `final`, and their number of rows."""

    finals: tuple[str, ...]
    rows: int

    @property
    def days(self) -> list[str]:
        """The days, YYYY-MM-DD, of those files that hold events."""
        return sorted({day for final in self.finals if (day := day_of(final)) is not None})


def day_of(final: str) -> str | None:
    """Return the day, YYYY-MM-DD, of a file with events; None for a file with failed events."""
    return partition_day(PurePosixPath(final).parent.name)


def old_days(state: TableState, before: date) -> Expiry:
    """Return the files of the days before `before`."""
    return _expiry(
        state,
        [final for final in state.table_files if (day_of(final) or "") < before.isoformat()],
    )


def missing(paths: TablePaths, state: TableState) -> Expiry:
    """Return the files that the log lists but that do not exist."""
    return _expiry(state, missing_files(paths, state))


def _expiry(state: TableState, finals: list[str]) -> Expiry:
    listed = {**state.table_files, **state.failed_files}
    return Expiry(tuple(finals), sum(listed[final].rows for final in finals))


def expire(table: Table, before: date | None, *, apply: bool) -> Expiry:
    """Find the files of the days before `before`, or if it is None, the missing files.

    With `apply`, one commit removes them from the table, and then they are deleted. If the process
    is killed before the commit, nothing changes; after it, the next change of the table deletes
    the remaining files.
    """
    with table.change(CommitKind.EXPIRY) as change:
        state = change.state
        expiry = old_days(state, before) if before else missing(table.paths, state)
        if apply and expiry.finals:
            change.removed = expiry.finals
        else:
            change.discard()
    return expiry
