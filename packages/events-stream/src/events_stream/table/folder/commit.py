"""A commit: one change of the table, with the files it added and removed and its offsets."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from events_schema.tables.commit_log import COMMIT_FORMAT
from events_schema.tables.snapshot import FileChange
from events_stream.table.erasure import Erasure
from events_stream.table.position import Backlog, Counts, Cut, Epoch, Loss, SourceIdentity


class CommitKind(StrEnum):
    """The kinds of change of the table."""

    BATCH = "batch"
    """Stores the records of one of Spark's micro-batches."""
    REPLAY = "replay"
    """Stores failed events that can now be decoded."""
    EXPIRY = "expiry"
    """Removes files from the table."""
    COMPACTION = "compaction"
    """Replaces files with fewer and larger ones that have the same rows."""
    ERASURE = "erasure"
    """Removes rows or failed events of users, or begins or closes their erasure."""
    LOSS = "loss"
    """Changes only the offsets: the operator accepted that records are lost, or Kafka cut them."""


class Commit(FileChange):
    """One entry of the table's log; as soon as its file exists, the change is committed."""

    format: int = COMMIT_FORMAT
    kind: CommitKind = CommitKind.BATCH
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
    erasures: Annotated[tuple[Erasure, ...], Field(exclude_if=lambda erasures: not erasures)] = ()
    """The receipts that this commit adds or changes."""
