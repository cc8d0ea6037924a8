"""A commit: one change of the table, what it added and took away, and the offsets it covers."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from events_stream.table.position import Counts, Loss, SourceIdentity

FORMAT, OWN_FORMAT = 2, 3
"""What is written: the latter where the table has own columns, so that events-stream 2.0, which
would leave them out, refuses the table. Format 1, of events-stream 1.0, is read.
"""

OwnTypes = Annotated[dict[str, str], Field(exclude_if=lambda own_types: not own_types)]
"""The table's own columns, in order, with the words for their types; not written where none."""


class StoredFile(BaseModel):
    """A parquet file of the table or of its failed events.

    `final` is relative to the folder that holds the table.
    """

    model_config = ConfigDict(frozen=True)

    final: str
    rows: int
    earliest_received: datetime | None = None
    latest_received: datetime | None = None

    def may_hold(self, earliest: datetime, latest: datetime, window: timedelta) -> bool:
        """Tell whether a row was received at most `window` away from `earliest` to `latest`."""
        if self.earliest_received is None or self.latest_received is None:
            return False
        return (
            self.earliest_received - window <= latest and earliest - window <= self.latest_received
        )


class StagedFile(StoredFile):
    """A file of a commit; `staged` is where it was written, below the commit's own folder."""

    staged: str

    def stored(self) -> StoredFile:
        """Return what the log keeps of it."""
        return StoredFile(**self.model_dump(exclude={"staged"}))


class CommitKind(StrEnum):
    """What changed the table."""

    BATCH = "batch"
    """The records of one of Spark's micro-batches."""
    REPLAY = "replay"
    EXPIRY = "expiry"
    LOSS = "loss"
    """Nothing but its offsets: the operator accepted that records are gone."""


class Commit(BaseModel):
    """One entry of the table's log; once the file is there, the change is made."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    number: int
    kind: CommitKind = CommitKind.BATCH
    committed_at: datetime
    staging: str = ""
    """The name of the folder of its files until they are in place."""
    source: SourceIdentity
    before: dict[int, int]
    after: dict[int, int]
    counts: Counts
    complete_up_to: datetime | None = None
    """Every event acknowledged before this is stored; None where the change cannot tell."""
    lost: tuple[Loss, ...] = ()
    """What the operator accepted as lost."""
    table_files: tuple[StagedFile, ...] = ()
    failed_files: tuple[StagedFile, ...] = ()
    removed: tuple[str, ...] = ()
    """The `final` of files that were in the table or among the failed events, and no longer are."""
    own_types: OwnTypes = {}
    """The own columns of the table once this is made: of its newest contract."""

    @property
    def name(self) -> str:
        """The commit's number as file and folder names carry it."""
        return numbered(self.number)

    @property
    def staging_name(self) -> str:
        """The name of its staging folder, also in format 1."""
        return self.staging or self.name

    @property
    def files(self) -> tuple[StagedFile, ...]:
        """The files that it adds, wherever they go."""
        return (*self.table_files, *self.failed_files)


def numbered(number: int) -> str:
    """Return a commit's number as names carry it: 12 digits."""
    return f"{number:012d}"
