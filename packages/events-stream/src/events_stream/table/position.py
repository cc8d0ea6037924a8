"""What a table stores about its topic: its identity, the offsets read, and record counts."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

Offsets = Mapping[int, int]
"""The next offset to read, by partition."""


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

    def __add__(self, other: Counts) -> Counts:
        """Return the sum of both."""
        return Counts(
            **{name: getattr(self, name) + getattr(other, name) for name in Counts.model_fields}
        )


class Loss(BaseModel):
    """Records that Kafka no longer had: offsets `start` to before `end` of `partition`."""

    model_config = ConfigDict(frozen=True)

    partition: int
    start: int
    end: int
