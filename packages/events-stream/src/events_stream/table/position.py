"""What a table says of the topic: which one it is, how far it was read, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

Offsets = Mapping[int, int]
"""The next offset to read, by partition."""


class SourceIdentity(BaseModel):
    """What tells one topic from every other, also from one of the same name."""

    model_config = ConfigDict(frozen=True)

    cluster_id: str
    topic: str
    topic_id: str


class Counts(BaseModel):
    """The records of a micro-batch or of another change: `read` is the sum of the others."""

    model_config = ConfigDict(frozen=True)

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    failed: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(
            **{name: getattr(self, name) + getattr(other, name) for name in Counts.model_fields}
        )


class Loss(BaseModel):
    """Records that Kafka no longer had: those of `partition` from `start` to before `end`."""

    model_config = ConfigDict(frozen=True)

    partition: int
    start: int
    end: int
