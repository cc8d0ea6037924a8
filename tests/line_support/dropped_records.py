"""Takes records out of a stopped broker's log, as a power loss or compaction does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from aiokafka.record.memory_records import MemoryRecords

_HEADER = 12
"""The bytes before the body of a record batch: its first offset and its body's length."""

Records = list[tuple[int, bytes | None]]
"""The offsets and values of records."""


def drop_records(
    broker: Path, topic: str, partition: int, start: int, end: int = sys.maxsize
) -> list[bytes | None]:
    """Delete the record batches with records from `start` to before `end`; return their values.

    `broker` is the folder of a broker that was killed, with one segment in the partition.
    """
    segment = _segment(broker, topic, partition)
    kept, dropped = bytearray(), []
    for batch, records in _batches(segment.read_bytes()):
        if any(start <= offset < end for offset, _ in records):
            dropped += [value for _, value in records]
        else:
            kept += batch
    segment.write_bytes(kept)
    return dropped


def cut_log(broker: Path, topic: str, partition: int, share: float) -> Records:
    """Delete this share of the last record batches, at least one; return their records.

    `broker` is as in `drop_records`.
    """
    segment = _segment(broker, topic, partition)
    batches = list(_batches(segment.read_bytes()))
    kept = len(batches) - max(1, int(len(batches) * share))
    segment.write_bytes(b"".join(batch for batch, _ in batches[: max(kept, 0)]))
    return [record for _, records in batches[max(kept, 0) :] for record in records]


def filled_partitions(broker: Path, topic: str) -> list[int]:
    """Return the partitions of `topic` that have records. `broker` is as in `drop_records`."""
    segments = (broker / "data").glob(f"{topic}-*/*.log")
    filled = (path.parent.name for path in segments if any(_batches(path.read_bytes())))
    return sorted(int(name.rpartition("-")[2]) for name in filled)


def _segment(broker: Path, topic: str, partition: int) -> Path:
    (segment,) = (broker / "data" / f"{topic}-{partition}").glob("*.log")
    return segment


def _batches(content: bytes) -> Iterator[tuple[bytes, Records]]:
    at = 0
    while at < len(content):
        size = _HEADER + int.from_bytes(content[at + 8 : at + _HEADER], "big")
        batch = content[at : at + size]
        if len(batch) < size:
            return  # written in part when the broker was killed
        yield batch, _records(batch)
        at += size


def _records(content: bytes) -> Records:
    batches, found = MemoryRecords(content), Records()
    while batches.has_next():
        batch = batches.next_batch()
        assert batch is not None
        found += [(record.offset, record.value) for record in batch]
    return found
