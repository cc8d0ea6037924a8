"""The state of the topic at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from events_stream.table.position import Offsets, SourceIdentity


@dataclass(frozen=True)
class TopicNow:
    """The state of a topic at one moment."""

    identity: SourceIdentity
    earliest: Offsets
    """The offset of the oldest record in each partition."""
    latest: Offsets
    """The offset that the next record of each partition will get."""
    leaders: Mapping[int, int]
    """The epoch of each partition's leader. If it stays the same, the log was not cut."""

    def lag(self, next_offsets: Offsets) -> int:
        """Return how many records the topic has that a table with these next offsets lacks."""
        return sum(
            max(end - max(next_offsets.get(partition, 0), self.earliest[partition]), 0)
            for partition, end in self.latest.items()
        )
