"""The topic that the collector writes to."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from events_schema.runtime.brokers import TopicName
from events_schema.runtime.command import CommandSettings, Flag
from events_schema.runtime.flags import Bytes, Seconds

_SAFE_REPLICATION = 3
_KIB, _MIB = 1024, 1024 * 1024


class TopicSettings(CommandSettings):
    """Which topic to write to, how to create it, and how events share record batches."""

    flag_group: ClassVar[str | None] = "topic"

    topic: TopicName = Field(
        default="events", description="the topic to write to; created if it does not exist"
    )
    partitions: int = Field(default=4, description="partitions of a topic it creates", ge=1)
    replication: int = Field(
        default=1,
        description="replicas of each partition of a topic it creates",
        ge=1,
        lt=2**15,
    )
    min_insync_replicas: Annotated[
        int | None, Flag(default="2 if --replication is 3 or more, else 1")
    ] = Field(
        default=None,
        description="how many replicas must have an event before it counts as stored, for a "
        "topic it creates",
        ge=1,
    )
    linger: Seconds = Field(
        default=0.002,
        description="how long events wait for others to share their record batch while "
        "another batch is in flight",
        ge=0,
        le=1,
    )
    record_batch_bytes: Bytes = Field(
        default=512 * _KIB,
        description="the largest record batch; smaller if the topic accepts less",
        ge=16 * _KIB,
        le=64 * _MIB,
    )

    @model_validator(mode="after")
    def _check_replicas(self) -> TopicSettings:
        if self.required_replicas > self.replication:
            raise PydanticCustomError(
                "replicas",
                "--min-insync-replicas is more than --replication, so no event could be stored; "
                "give at most --replication",
            )
        return self

    @property
    def required_replicas(self) -> int:
        """The topic's `min.insync.replicas`."""
        if self.min_insync_replicas is not None:
            return self.min_insync_replicas
        return 2 if self.replication >= _SAFE_REPLICATION else 1
