"""Compares the leader epochs of the records that the table read with those that Kafka has.

Each leader of a partition has an epoch, and each record has that of the leader that wrote it. Two
logs that have a record of the same epoch at the same offset are the same up to that record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from events_stream.table.position import Epoch

RecordAt = Callable[[int], Epoch | None]
"""Returns the epoch and offset of Kafka's first record at or after an offset; None if unknown."""


def extend(known: Sequence[Epoch], read: range, record_at: RecordAt) -> tuple[Epoch, ...]:
    """Return the epochs `known`, and after them those of the records that were `read`.

    Kafka has these records, and one at the last offset.
    """
    epochs, last = list(known), record_at(read[-1])
    while last is not None and (not epochs or epochs[-1].epoch < last.epoch):
        start = _after(epochs[-1].epoch, read, record_at) if epochs else read.start
        found = record_at(start)
        if found is None or (epochs and found.epoch <= epochs[-1].epoch):
            break  # Kafka has other records by now
        epochs.append(found)
    return tuple(epochs)


def find_cut(epochs: Sequence[Epoch], read: range, end: int, record_at: RecordAt) -> int | None:
    """Return up to which offset Kafka's log is the one that was `read`; None if all of it is.

    `epochs` are those of the records that were read, without those that Kafka deleted since.
    Kafka's log ends at `end`. Where it is not known exactly, the offset is a lower one.
    """
    stops = [*(each.start for each in epochs[1:]), read.stop]
    for each, stop in reversed(list(zip(epochs, stops, strict=True))):
        there = range(max(each.start, read.start), min(stop, end))
        found = record_at(there.start) if there else None
        if found is not None and found.epoch == each.epoch:
            same = _after(each.epoch, there, record_at)
            return None if same == read.stop else same
    return epochs[0].start


def _after(epoch: int, offsets: range, record_at: RecordAt) -> int:
    """Return the first of `offsets` whose record has a later epoch, or their end."""
    low, high = offsets.start, offsets.stop
    while low < high:
        middle = (low + high) // 2
        found = record_at(middle)
        if found is not None and found.epoch > epoch:
            high = middle
        else:
            low = middle + 1
    return low


def before(epochs: Sequence[Epoch], offset: int) -> tuple[Epoch, ...]:
    """Return the epochs that have records before `offset`."""
    return tuple(each for each in epochs if each.start < offset)


def since(epochs: Sequence[Epoch], offset: int) -> tuple[Epoch, ...]:
    """Return the epochs that may have records from `offset` on."""
    stops = [*(each.start for each in epochs[1:]), offset + 1]
    return tuple(each for each, stop in zip(epochs, stops, strict=True) if stop > offset)
