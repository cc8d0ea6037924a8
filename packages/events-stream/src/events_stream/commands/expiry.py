"""Taking files out of the table: those of old days, or those that are gone anyway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from events_schema.tables.partitions import PARTITION_COLUMN
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
    name, _, day = PurePosixPath(final).parent.name.partition("=")
    return day if name == PARTITION_COLUMN else None


def old_days(state: TableState, before: date) -> Expiry:
    """Return the files of the days before `before`."""
    return _expiry(
        state,
        [final for final in state.table_files if (day_of(final) or "") < before.isoformat()],
    )


def gone(table: Table) -> Expiry:
    """Return the files that the log lists and that are not there."""
    return _expiry(table.state, missing_files(table.paths, table.state))


def _expiry(state: TableState, finals: list[str]) -> Expiry:
    listed = {**state.table_files, **state.failed_files}
    return Expiry(tuple(finals), sum(listed[final].rows for final in finals))


def expire(table: Table, expiry: Expiry) -> None:
    """Take the files out of the table's log, and then delete them.

    `table` is this process's to write. Killed before the commit, nothing is done; after it,
    whoever writes next deletes the rest.
    """
    name = table.stage().folder.name
    table.store(table.state.next_commit(name, CommitKind.EXPIRY, removed=expiry.finals))
