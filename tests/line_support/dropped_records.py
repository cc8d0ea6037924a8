"""Takes records out of a stopped broker's log, as a power loss or compaction does."""

from __future__ import annotations

import sys
from pathlib import Path

from aiokafka.record.memory_records import MemoryRecords

_HEADER = 12
"""The bytes before the body of a record batch: its first offset and its body's length."""


def drop_records(
    broker: Path, topic: str, partition: int, start: int, end: int = sys.maxsize
) -> list[bytes | None]:
    """Delete the record batches with records from `start` to before `end`; return their values.

    `broker` is the folder of a broker that was killed, with one segment in the partition.
    """
    (segment,) = (broker / "data" / f"{topic}-{partition}").glob("*.log")
    content = segment.read_bytes()
    kept, dropped = bytearray(), bytearray()
    at = 0
    while at < len(content):
        size = _HEADER + int.from_bytes(content[at + 8 : at + _HEADER], "big")
        batch = content[at : at + size]
        within = any(start <= offset < end for offset, _ in _records(batch))
        (dropped if within else kept).extend(batch)
        at += size
    segment.write_bytes(kept)
    return [value for _, value in _records(bytes(dropped))]


def _records(content: bytes) -> list[tuple[int, bytes | None]]:
    batches, found = MemoryRecords(content), []
    while batches.has_next():
        batch = batches.next_batch()
        assert batch is not None
        found += [(record.offset, record.value) for record in batch]
    return found
