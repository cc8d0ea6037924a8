"""The faults of a campaign: what is killed, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from events_stream.table.steps import Step

FOLDING = (Step.FOLDED, Step.TIDIED)
"""Steps that not every change reaches."""

REWRITING = (Step.REWRITTEN, Step.COMPARED, Step.EXCHANGED)
"""Steps of compaction and erasing, once for each folder."""

_READING = (Step.WRITTEN, Step.FAILED_WRITTEN, Step.DEDUPLICATED, Step.CHECKED)
_RENAMING = (Step.PLACED_ONE, Step.PLACED, Step.REMOVED)

STREAM_STEPS = [step for step in Step if step not in REWRITING]
COMPACTION_STEPS = [step for step in Step if step not in (*_READING, *_RENAMING)]
ERASING_STEPS = [step for step in Step if step not in (*_READING, Step.PLACED_ONE)]


class Java(StrEnum):
    """What happens to the Java process of a stream whose Python is killed."""

    ENDED = "ended"
    """It exits before the next stream starts."""
    LEFT = "left"
    """It may still run and write."""
    FROZEN = "frozen"
    """It is suspended when its Python is killed, and resumed once the next stream has stored."""
    SHARED = "shared"
    """It outlives its streams: the next stream starts in it."""


@dataclass(frozen=True)
class Death:
    """A process dies when it reaches `step` for the `nth` time."""

    step: Step
    nth: int

    def __str__(self) -> str:
        return f"{self.step} {self.nth}"


@dataclass(frozen=True)
class Fault:
    """A fault: something is killed by kill -9."""

    @property
    def kind(self) -> str:
        """A short name of what is killed."""
        raise NotImplementedError

    def __str__(self) -> str:
        drawn = (f"{name} {_text(value)}" for name, value in vars(self).items())
        return ", ".join([self.kind, *drawn])


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


@dataclass(frozen=True)
class StepDeath(Fault):
    """The stream dies at a named step."""

    death: Death
    java: Java

    @property
    def kind(self) -> str:
        """A short name with the step."""
        return f"stream at {self.death.step}"


@dataclass(frozen=True)
class StreamKill(Fault):
    """The stream is killed after `after` seconds, while it starts or runs."""

    after: float
    java: Java
    kind = "stream at any time"


@dataclass(frozen=True)
class JavaKill(Fault):
    """Only the stream's Java process is killed, `after` seconds after a batch."""

    after: float
    kind = "Java"


@dataclass(frozen=True)
class BrokerKill(Fault):
    """The broker is killed and stays away for `absent` seconds."""

    absent: float
    kind = "broker"


@dataclass(frozen=True)
class CollectorKill(Fault):
    """The collector is killed and stays away for `absent` seconds."""

    absent: float
    kind = "collector"


@dataclass(frozen=True)
class TopicCut(Fault):
    """The broker is killed, and this share of a partition's last record batches is lost.

    `partition` counts those that have records, over and over.
    """

    partition: int
    share: float
    kind = "topic cut"


@dataclass(frozen=True)
class PartitionAdd(Fault):
    """The topic gets one partition more, and nothing is killed."""

    kind = "partition"


@dataclass(frozen=True)
class Maintenance(Fault):
    """A command dies at each of `deaths`, and is run again until it succeeds.

    It runs `beside` a stream, or else after a kill of the stream.
    """

    deaths: tuple[Death, ...]
    beside: bool


@dataclass(frozen=True)
class Compaction(Maintenance):
    """The closed days are compacted."""

    kind = "compaction"


@dataclass(frozen=True)
class Erasing(Maintenance):
    """Some users are erased: those of an event at each of `shares` of the events that were sent.

    Added to them is one who has a row in the table, and with `failed` one who has a failed event.
    """

    shares: tuple[float, ...]
    failed: bool
    kind = "erasing"
