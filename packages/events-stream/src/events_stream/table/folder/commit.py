"""A commit: one change of the table, with the files it added and removed and its offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from events_schema.tables.commit_log import COMMIT_FORMAT, Entry, numbered
from events_stream.table.folder.hours import Hours, Span, are_near, spans
from events_stream.table.position import Backlog, Counts, Cut, Epoch, Loss, SourceIdentity

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
    """A file of a commit. `staged` is its path relative to the commit's staging folder."""

    staged: str

    def stored(self) -> StoredFile:
        """Return the part that the state of the table keeps."""
        return StoredFile(**self.model_dump(exclude={"staged"}))


class CommitKind(StrEnum):
    """The kinds of change of the table."""

    BATCH = "batch"
    """Stores the records of one of Spark's micro-batches."""
    REPLAY = "replay"
    """Stores failed events that can now be decoded."""
    EXPIRY = "expiry"
    """Removes files from the table."""
    LOSS = "loss"
    """Changes only the offsets: the operator accepted that records are lost, or Kafka cut them."""


class Commit(Entry):
    """One entry of the table's log; as soon as its file exists, the change is committed."""

    format: int = COMMIT_FORMAT
    kind: CommitKind = CommitKind.BATCH
    committed_at: datetime
    staging: str = ""
    """The name of the folder that holds its files until they are renamed into the table."""
    source: SourceIdentity
    before: dict[int, int]
    after: dict[int, int]
    counts: Counts
    complete_up_to: datetime | None = None
    """Every event acknowledged before this is stored; None if unknown."""
    lost: tuple[Loss, ...] = ()
    """The records that the operator accepted as lost."""
    leader_epochs: dict[int, tuple[Epoch, ...]] = Field(default_factory=dict)
    """The leader epochs of the records that were read, by partition."""
    cuts: tuple[Cut, ...] = ()
    """What Kafka had cut off after it was read."""
    empty_offsets: int = 0
    """Offsets without a record: transaction markers and what compaction removed."""
    backlog: Backlog | None = None
    """What was left on the topic after this commit; None if nothing was, or if it is unknown."""
    table_files: tuple[StagedFile, ...] = ()
    failed_files: tuple[StagedFile, ...] = ()
    removed: tuple[str, ...] = ()
    """The `final` of the files that this commit removes from the table or the failed events."""
    own_types: OwnTypes = Field(default_factory=dict)
    """The own columns of the table after this commit, from its newest contract."""

    @property
    def name(self) -> str:
        """The commit's number as used in file and folder names."""
        return numbered(self.number)

    @property
    def staging_name(self) -> str:
        """The name of its staging folder; in format 1, its number."""
        return self.staging or self.name

    @property
    def files(self) -> tuple[StagedFile, ...]:
        """All files that it adds, events and failed events."""
        return (*self.table_files, *self.failed_files)
