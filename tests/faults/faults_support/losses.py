"""What Kafka lost when its log was cut, and what the table had read of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from events_stream.table.position import Cut
from line_support.dropped_records import Records


@dataclass(frozen=True)
class TopicLoss:
    """A cut of a partition: its first offset, and the records that Kafka lost."""

    partition: int
    offset: int
    records: Records
    read_before: int
    """The table's next offset right before the broker was killed."""
    at: datetime
    """When the broker was killed."""


@dataclass(frozen=True)
class Losses:
    """The values that Kafka lost: those that the table had read before, and the others."""

    read: Sequence[bytes | None]
    unread: Sequence[bytes | None]


def match(losses: Sequence[TopicLoss], told: Iterable[Cut]) -> Losses:
    """Return what was lost. Raises `AssertionError` if the table does not tell of each cut.

    A cut beyond the end of the table cost it nothing that it had read, so it does not tell of it.
    """
    left = list(told)
    read: list[bytes | None] = []
    unread: list[bytes | None] = []
    for number, loss in enumerate(losses):
        later = (each.at for each in losses[number + 1 :] if each.partition == loss.partition)
        found = next((cut for cut in left if _tells(cut, loss, next(later, None))), None)
        end = loss.offset
        if found is not None:
            left.remove(found)
            end = found.table_end
        assert end >= min(loss.read_before, loss.records[-1][0] + 1), f"not told: {loss}"
        for offset, value in loss.records:
            (read if offset < end else unread).append(value)
    assert left == [], f"told of cuts that were not made: {left}"
    return Losses(read, unread)


def _tells(cut: Cut, loss: TopicLoss, before: datetime | None) -> bool:
    """Return whether `cut` tells of `loss`, which the stream finds `before` the next one."""
    there = (cut.partition, cut.offset) == (loss.partition, loss.offset)
    return there and loss.at <= cut.found_at and (before is None or cut.found_at <= before)
