"""The position of a table in its topic: its identity, the offsets read, and record counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from events_stream.errors import OtherSource

Offsets = Mapping[int, int]
"""The next offset to read, by partition."""


class Epoch(NamedTuple):
    """A leader epoch of Kafka, and the offset of its first record in a partition."""

    epoch: int
    start: int


Epochs = Mapping[int, tuple[Epoch, ...]]
"""The leader epochs of the records that were read, the oldest first, by partition."""


@dataclass(frozen=True)
class Span:
    """The records read from a partition: how many, and the offsets of the first and the last."""

    records: int
    first: int | None
    last: int | None

    @property
    def offsets(self) -> range:
        """The offsets from the first to the last record."""
        if self.first is None or self.last is None:
            return range(0)
        return range(self.first, self.last + 1)


class SourceIdentity(BaseModel):
    """Identifies a topic, and distinguishes it from another one with the same name."""

    model_config = ConfigDict(frozen=True)

    cluster_id: str
    topic: str
    topic_id: str


class Counts(BaseModel):
    """The records of a micro-batch or another change; `read` is the sum of the others."""

    model_config = ConfigDict(frozen=True)

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    failed: int = 0
    erased: Annotated[int, Field(exclude_if=lambda erased: not erased)] = 0
    """Records of erased users, received before their erasure."""

    def __add__(self, other: Counts) -> Counts:
        """Return the sum of both."""
        return Counts(
            **{name: getattr(self, name) + getattr(other, name) for name in Counts.model_fields}
        )


class Loss(BaseModel):
    """Records that Kafka no longer had, at the offsets `start` to before `end` of `partition`."""

    model_config = ConfigDict(frozen=True)

    partition: int
    start: int
    end: int
    records: Annotated[int | None, Field(exclude_if=lambda records: records is None)] = None
    """How many records were lost there; None if all were."""


class Cut(BaseModel):
    """Kafka cut off the end of a partition that was already read: from `offset` on, it has others.

    This happens if brokers lose power, or a replica that lags becomes the leader.
    """

    model_config = ConfigDict(frozen=True)

    partition: int
    offset: int
    """The first offset whose record differs from the one that the table has."""
    table_end: int
    """The next offset of the table when the cut was found."""
    found_at: datetime


class Backlog(BaseModel):
    """The records that the topic had at a time and the table did not."""

    model_config = ConfigDict(frozen=True)

    records: int
    at: datetime
    shrinks_by: float | None = None
    """How many records fewer it gets per second; None until two are known."""

    @classmethod
    def after(cls, earlier: Backlog | None, records: int, at: datetime) -> Backlog:
        """Return the backlog of `records` at `at`, with its speed since the `earlier` ones."""
        seconds = (at - earlier.at).total_seconds() if earlier else 0
        if earlier is None or seconds <= 0:
            return cls(records=records, at=at)
        speed = (earlier.records - records) / seconds
        if earlier.shrinks_by is not None:  # smoothed: batches differ
            speed = (speed + earlier.shrinks_by) / 2
        return cls(records=records, at=at, shrinks_by=speed)

    @property
    def seconds_left(self) -> float | None:
        """How many seconds after `at` it will be gone; infinite if it grows, None if unknown."""
        if not self.records:
            return 0
        if self.shrinks_by is None:
            return None
        return self.records / self.shrinks_by if self.shrinks_by > 0 else math.inf


class Position(BaseModel):
    """How far the table has read its topic, and what became of the records."""

    model_config = ConfigDict(frozen=True)

    source: SourceIdentity | None = None
    next_offsets: dict[int, int] = Field(default_factory=dict)
    """The next offset of each partition that was read."""
    leader_epochs: dict[int, tuple[Epoch, ...]] = Field(default_factory=dict)
    """The leader epochs of the records that were read, by partition."""
    totals: Counts = Counts()
    """All records ever read, including those of expired days."""
    complete_up_to: datetime | None = None
    """Every event acknowledged before this was stored."""
    lost: tuple[Loss, ...] = ()
    """The records that the operator accepted as lost."""
    cuts: tuple[Cut, ...] = ()
    """What Kafka had cut off after it was read."""
    empty_offsets: int = 0
    """Offsets without a record: transaction markers and what compaction removed."""
    backlog: Backlog | None = None
    """What was left on the topic; None if nothing was, or if it is unknown."""

    def check_source(self, source: SourceIdentity) -> None:
        """Check that `source` is the table's topic and cluster. Raises `OtherSource`."""
        if self.source is None or self.source == source:
            return
        for part in ("cluster_id", "topic", "topic_id"):
            was, now = getattr(self.source, part), getattr(source, part)
            if was != now:
                raise OtherSource(
                    f"the table was filled from {part} {was!r}, but the broker has {now!r}; "
                    f"give the table's source, or a new --target and --checkpoint"
                )
