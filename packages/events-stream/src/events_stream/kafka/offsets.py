"""The offsets at which a query starts and that a micro-batch covers, and the checks of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from events_stream.errors import CheckpointUnreadable, OffsetGap, RecordsLost, TopicCut
from events_stream.table.position import Loss, Offsets


@dataclass(frozen=True)
class Start:
    """The offset at which a query starts in each partition, and the records lost before it."""

    offsets: Offsets
    lost: tuple[Loss, ...] = ()


def choose_start(
    next_offsets: Offsets, earliest: Offsets, latest: Offsets, *, accept_loss: bool
) -> Start:
    """Return where to start: at the end of the table, or for a new one, at the topic's beginning.

    Raises `RecordsLost` if Kafka no longer has the next records, unless `accept_loss` is true, and
    `TopicCut` if the topic ends before the table does.
    """
    if not next_offsets:
        return Start(earliest)
    wanted = {partition: next_offsets.get(partition, 0) for partition in {*earliest, *next_offsets}}
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
            f"partition {first.partition}: the table ends at offset {first.start}, but the topic "
            f"begins at {first.end}: Kafka deleted {sum(each.end - each.start for each in lost)} "
            f"records (retention, or by hand) before they were stored; give --accept-loss once to "
            f"continue without them"
        )
    return Start({p: max(offset, earliest[p]) for p, offset in wanted.items()}, lost)


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
        return sum(end > self.start[partition] for partition, end in self.end.items())

    def may_leave_records(self, at_most: int) -> bool:
        """Return whether the topic may have had more records than Spark read.

        Spark reads `at_most` records. It divides this limit among the partitions and rounds down
        for each of them.
        """
        return self.records > at_most - self.tasks

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
