"""A commit: what one batch added to the table, and which offsets that covers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

Offsets = Mapping[int, int]
"""The next offset to read, by partition."""


class SourceIdentity(BaseModel):
    """What tells one topic from every other, also from one of the same name."""

    model_config = ConfigDict(frozen=True)

    cluster_id: str
    topic: str
    topic_id: str


class StoredFile(BaseModel):
    """A parquet file of a commit. Paths are relative to the batch's staging folder and, for
    `final`, to the folder that holds the table."""

    model_config = ConfigDict(frozen=True)

    staged: str
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


class Counts(BaseModel):
    """The records of a batch: `read` is the sum of the others."""

    model_config = ConfigDict(frozen=True)

    read: int
    stored: int
    duplicates: int
    failed: int


class Commit(BaseModel):
    """One entry of the table's log; once the file is there, the batch is stored."""

    model_config = ConfigDict(frozen=True)

    format: int = 1
    number: int
    committed_at: datetime
    source: SourceIdentity
    before: dict[int, int]
    after: dict[int, int]
    counts: Counts
    table_files: tuple[StoredFile, ...] = ()
    failed_files: tuple[StoredFile, ...] = ()

    @property
    def name(self) -> str:
        """The commit's number as file and folder names carry it: 12 digits."""
        return f"{self.number:012d}"
