"""A snapshot of the raw table: its files after a commit, with their rows, days and times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from events_schema.tables.commit_log import Entry, numbered
from events_schema.tables.hours import Hours, Span, are_near, spans
from events_schema.tables.partitions import partition_day
from events_schema.tables.paths import TablePaths

OwnTypes = Annotated[dict[str, str], Field(exclude_if=lambda own_types: not own_types)]
"""The types of the table's own columns by name, in order; not written if there are none."""


class StoredFile(BaseModel):
    """A parquet file of the table or of its failed events.

    `final` is relative to the folder that holds the table.
    """

    model_config = ConfigDict(frozen=True)

    final: str
    rows: int
    earliest_received: datetime | None = None
    latest_received: datetime | None = None
    received_hours: Annotated[Hours, Field(exclude_if=lambda hours: not hours)] = ()
    rows_up_to: Annotated[int | None, Field(exclude_if=lambda commit: commit is None)] = None
    """For a file that was rewritten: the newest commit that stored one of its rows."""

    @property
    def newest_commit(self) -> int:
        """The newest commit that stored one of its rows. Its name begins with its own commit."""
        if self.rows_up_to is not None:
            return self.rows_up_to
        return int(PurePosixPath(self.final).stem.partition("-")[0])

    @property
    def day(self) -> str | None:
        """The day of its events, YYYY-MM-DD; None for failed events.

        For events without a time it is the name that Hive gives to their partition.
        """
        return partition_day(self.final.rpartition("/")[0].rpartition("/")[2])

    @property
    def received(self) -> Iterator[Span]:
        """The times in which its rows were received."""
        return spans(self.received_hours, self.earliest_received, self.latest_received)

    def is_near(self, times: Sequence[Span], window: timedelta) -> bool:
        """Return whether it may have rows received at most `window` from one of `times`."""
        if self.earliest_received is None or self.latest_received is None:
            return False
        whole = self.earliest_received, self.latest_received
        # For most of the many files of a table, this is enough.
        near = [each for each in times if are_near(whole, each, window)]
        return any(are_near(own, each, window) for each in near for own in self.received)


class StagedFile(StoredFile):
    """A file that a commit adds. `staged` is its path relative to the commit's staging folder."""

    staged: str

    def stored(self) -> StoredFile:
        """Return the part that a snapshot keeps."""
        return StoredFile(**self.model_dump(exclude={"staged"}))


class FileChange(Entry):
    """What a commit changes in the list of files.

    Most commits rename their files into the table, one by one. If `exchanged` is set, the commit
    replaces that folder, relative to the folder that holds the table, in one step. The new folder
    has the files that are added, and those that stay.
    """

    committed_at: datetime
    staging: str = ""
    """The name of the folder that holds its files until they are in the table."""
    table_files: tuple[StagedFile, ...] = ()
    failed_files: tuple[StagedFile, ...] = ()
    removed: tuple[str, ...] = ()
    """The `final` of the files that this commit removes from the table or the failed events."""
    exchanged: Annotated[str, Field(exclude_if=lambda folder: not folder)] = ""
    own_types: OwnTypes = Field(default_factory=dict)
    """The own columns of the table after this commit, from its newest contract."""

    @property
    def staging_name(self) -> str:
        """The name of its staging folder; in format 1, its number."""
        return self.staging or numbered(self.number)

    @property
    def files(self) -> tuple[StagedFile, ...]:
        """All files that it adds, events and failed events."""
        return (*self.table_files, *self.failed_files)

    def is_placed(self, paths: TablePaths) -> bool:
        """Return whether all files that it adds are in the table; then, it removes others."""
        if not (paths.staging / self.staging_name).is_dir():
            return True
        folder = paths.target.parent
        if self.exchanged and not self.files:
            return not any((folder / final).exists() for final in self.removed)
        return all((folder / file.final).exists() for file in self.files)


Files = dict[str, StoredFile]
"""Files by `final`, in the order in which they were added."""


class Snapshot(Entry):
    """The files of the table after commit `number`; the number is -1 before the first commit."""

    number: int = -1
    committed_at: datetime | None = None
    table_files: Files = Field(default_factory=dict)
    failed_files: Files = Field(default_factory=dict)
    own_types: OwnTypes = Field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The number of rows in the table's files."""
        return sum(file.rows for file in self.table_files.values())

    @property
    def days(self) -> list[str]:
        """The days that have events, in order, each as in `StoredFile.day`."""
        return sorted({day for file in self.table_files.values() if (day := file.day)})

    def files_after(self, change: FileChange) -> tuple[Files, Files]:
        """Return the files of the table and of the failed events after `change`."""
        table, failed = dict(self.table_files), dict(self.failed_files)
        for final in change.removed:
            table.pop(final, None)
            failed.pop(final, None)
        table.update((file.final, file.stored()) for file in change.table_files)
        failed.update((file.final, file.stored()) for file in change.failed_files)
        return table, failed


def snapshot_after(snapshot: Snapshot, change: FileChange) -> Snapshot:
    """Return the snapshot after `change`, which must be the next commit."""
    table, failed = snapshot.files_after(change)
    return Snapshot.model_construct(
        number=change.number,
        committed_at=change.committed_at,
        table_files=table,
        failed_files=failed,
        own_types=change.own_types,
    )
