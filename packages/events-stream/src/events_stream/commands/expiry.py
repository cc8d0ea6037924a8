"""Taking files out of the table: those of old days, or those that are gone anyway."""

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
    """What is to be taken out of a table: the `final` of its files, and their rows."""

    finals: tuple[str, ...]
    rows: int

    @property
    def days(self) -> list[str]:
        """The days of the events, of those files that hold events."""
        return sorted({day for final in self.finals if (day := day_of(final)) is not None})


def day_of(final: str) -> str | None:
    """Return the day, YYYY-MM-DD, of a file of the table; None for one of failed events."""
    return partition_day(PurePosixPath(final).parent.name)


def old_days(state: TableState, before: date) -> Expiry:
    """Return the files of the days before `before`."""
    return _expiry(
        state,
        [final for final in state.table_files if (day_of(final) or "") < before.isoformat()],
    )


def missing(paths: TablePaths, state: TableState) -> Expiry:
    """Return the files that the log lists and that do not exist."""
    return _expiry(state, missing_files(paths, state))


def _expiry(state: TableState, finals: list[str]) -> Expiry:
    listed = {**state.table_files, **state.failed_files}
    return Expiry(tuple(finals), sum(listed[final].rows for final in finals))


def expire(table: Table, before: date | None, *, apply: bool) -> Expiry:
    """Find the files of the days before `before`, or without it, those that are missing.

    With `apply`, one commit takes them out of the table, and then they are deleted. Killed before
    the commit, nothing is done; after it, the next change of the table deletes the rest.
    """
    with table.change(CommitKind.EXPIRY) as change:
        state = change.state
        expiry = old_days(state, before) if before else missing(table.paths, state)
        if apply and expiry.finals:
            change.removed = expiry.finals
        else:
            change.discard()
    return expiry
