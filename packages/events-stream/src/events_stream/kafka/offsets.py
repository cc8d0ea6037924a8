"""The offsets at which a query starts and that a micro-batch covers, and the checks of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from events_stream.errors import (
    CheckpointUnreadable,
    OffsetGap,
    OtherRecords,
    RecordsLost,
    TopicCut,
)
from events_stream.kafka.topic import TopicNow
from events_stream.table.position import Cut, Epochs, Loss, Offsets, Span


@dataclass(frozen=True)
class Start:
    """The offset at which a query starts in each partition, and the records lost before it."""

    offsets: Offsets
    lost: tuple[Loss, ...] = ()
    cuts: tuple[Cut, ...] = ()
    """What Kafka had cut off after the table got it."""
    leaders: Mapping[int, int] = field(default_factory=dict)
    """The epochs of the partitions' leaders at the start."""
    epochs: Epochs = field(default_factory=dict)
    """The leader epochs of the records before the start."""


def choose_start(
    next_offsets: Offsets, topic: TopicNow, cuts: Offsets, *, accept_loss: bool
) -> Start:
    """Return where to start: at the end of the table, or for a new one, at the topic's beginning.

    If Kafka cut off records that the table has, it is where Kafka cut, by partition in `cuts`.

    Raises `RecordsLost` if Kafka no longer has the next records, unless `accept_loss` is true, and
    `TopicCut` if the topic ends before the table does for another reason.
    """
    earliest, latest = topic.earliest, topic.latest
    if not next_offsets:
        return Start(earliest, leaders=topic.leaders)
    ends = {**next_offsets, **cuts}
    wanted = {partition: ends.get(partition, 0) for partition in {*earliest, *ends}}
    for partition, offset in sorted(wanted.items()):
        end = latest.get(partition)
        if end is None or offset > end:
            raise TopicCut(
                f"partition {partition}: the table ends at offset {offset}, but the topic ends at "
                f"{end or 0}: it was truncated, or restored from an old copy; give a new --target "
                f"and --checkpoint"
            )
    lost = tuple(
        Loss(partition=partition, start=offset, end=earliest[partition])
        for partition, offset in sorted(wanted.items())
        if offset < earliest[partition]
    )
    if lost and not accept_loss:
        first = lost[0]
        raise RecordsLost(
            f"partition {first.partition}: the next offset to read is {first.start}, but the topic "
            f"begins at {first.end}: Kafka deleted {sum(each.end - each.start for each in lost)} "
            f"records (retention, or by hand) before they were stored; give --accept-loss once to "
            f"continue without them"
        )
    now = datetime.now(UTC)
    return Start(
        {p: max(offset, earliest[p]) for p, offset in wanted.items()},
        lost,
        tuple(
            Cut(partition=p, offset=offset, table_end=next_offsets[p], found_at=now)
            for p, offset in sorted(cuts.items())
        ),
        topic.leaders,
    )


CountRecords = Callable[[int, int, int], int]
"""Counts the records of a partition from one offset to before another one."""


@dataclass(frozen=True)
class OffsetRange:
    """The offsets from `start` to before `end`, for each partition in `end`."""

    start: Offsets
    end: Offsets
    planned_at: datetime
    """When Spark planned the micro-batch: after it had asked Kafka for the topic's end."""

    @property
    def records(self) -> int:
        """The largest number of records that it can cover."""
        return sum(end - self.start[partition] for partition, end in self.end.items())

    @property
    def tasks(self) -> int:
        """The number of Spark tasks that read it: one for each partition with records."""
        return len(self.partitions)

    def may_leave_records(self, at_most: int) -> bool:
        """Return whether the topic may have had more records than Spark read.

        Spark reads `at_most` records. It divides this limit among the partitions and rounds down
        for each of them.
        """
        return self.records > at_most - self.tasks

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions in which it covers records."""
        return tuple(sorted(p for p, end in self.end.items() if end > self.start[p]))

    def check_read(self, read: Mapping[int, Span], count: CountRecords) -> Mapping[int, int]:
        """Check that exactly its records were `read`.

        Returns how many offsets have no record, for each partition that has such offsets.
        Transaction markers have an offset but are not records, and compaction removes records. If
        some are missing, `count` says how many Kafka has. Raises `OtherRecords`.
        """
        empty = {}
        for partition in self.partitions:
            start, end, span = self.start[partition], self.end[partition], read[partition]
            outside = span.records and not start <= (span.first or 0) <= (span.last or 0) < end
            missing = end - start - span.records
            there = count(partition, start, end) if missing > 0 else span.records
            if outside or missing < 0 or there > span.records:
                raise OtherRecords(
                    f"partition {partition}: expected {there} records at offsets {start} to "
                    f"{end - 1}, but Spark read {span.records} at offsets {span.first} to "
                    f"{span.last}; nothing of the batch was stored; start again"
                )
            if missing:
                empty[partition] = missing
        return empty

    def check_follows(self, next_offsets: Offsets) -> None:
        """Check that the range starts at `next_offsets`. Raises `OffsetGap`."""
        for partition, start in sorted(self.start.items()):
            expected = next_offsets.get(partition, start)
            if start != expected or self.end[partition] < start:
                raise OffsetGap(
                    f"partition {partition}: expected a batch from offset {expected}, but Spark's "
                    f"goes from {start} to {self.end[partition]}; nothing of it was stored; start "
                    f"again to continue from {expected}"
                )


def offset_range(plans: Path, batch: int, topic: str) -> OffsetRange:
    """Return the range that Spark planned for `batch` in the checkpoint `plans`.

    Raises `CheckpointUnreadable`.
    """
    plan = plans / "offsets" / str(batch)
    with _refusing_unreadable(plan):
        end = _offsets(plan, topic)
        first = plans / "offsets" / str(batch - 1) if batch else plans / "sources/0/0"
        start = _offsets(first, topic)
        metadata = json.loads(plan.read_text("utf-8").splitlines()[1])
        planned_at = datetime.fromtimestamp(metadata["batchTimestampMs"] / 1000, UTC)
    return OffsetRange({p: start.get(p, 0) for p in end}, end, planned_at)


def last_plan(plans: Path) -> int | None:
    """Return the number of the last micro-batch that Spark planned, or None."""
    names = (path.name for path in plans.glob("offsets/*"))
    return max((int(name) for name in names if name.isdigit()), default=None)


def _offsets(path: Path, topic: str) -> dict[int, int]:
    last_line = path.read_text("utf-8").splitlines()[-1]
    by_topic = json.loads(last_line[last_line.index("{") :])
    return {int(partition): int(offset) for partition, offset in by_topic[topic].items()}


@contextmanager
def _refusing_unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointUnreadable(
            f"cannot read the offsets of the batch from {path} ({error!r}); start again"
        ) from None
