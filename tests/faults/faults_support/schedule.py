"""Draws what is killed, when and in which order, with Hypothesis. A seed repeats a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TypeVar

from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from events_stream.table.steps import Step

RARE_STEPS = (Step.FOLDED, Step.TIDIED)
"""Steps that not every batch reaches: waiting for a second arrival would take too long."""

Value = TypeVar("Value")


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
class Fault:
    """A fault: something is killed by kill -9."""

    @property
    def kind(self) -> str:
        """A short name of what is killed."""
        raise NotImplementedError

    def __str__(self) -> str:
        drawn = (f"{name} {value}" for name, value in vars(self).items() if name != "step")
        return f"{self.kind}, {', '.join(drawn)}"


@dataclass(frozen=True)
class StepDeath(Fault):
    """The stream dies when it reaches `step` for the `nth` time."""

    step: Step
    nth: int
    java: Java

    @property
    def kind(self) -> str:
        """A short name with the step."""
        return f"stream at {self.step}"


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

    def __str__(self) -> str:
        return self.kind


def seconds(most: float) -> st.SearchStrategy[float]:
    """Seconds in steps of 0.1, up to `most`."""
    return st.integers(0, round(most * 10)).map(lambda tenths: tenths / 10)


def step_deaths(step: Step, latest: int, *javas: Java) -> st.SearchStrategy[StepDeath]:
    """Deaths at `step`, at the first to the `latest` arrival, with one of `javas`."""
    return st.builds(
        StepDeath,
        step=st.just(step),
        nth=st.integers(1, 1 if step in RARE_STEPS else latest),
        java=st.sampled_from(javas),
    )


def stream_kills() -> st.SearchStrategy[StreamKill]:
    """Kills at any time during a stream's start and its first batches."""
    javas = st.sampled_from([Java.ENDED, Java.LEFT, Java.FROZEN])
    return st.builds(StreamKill, after=seconds(9), java=javas)


def java_kills() -> st.SearchStrategy[JavaKill]:
    """Kills at any time during a batch or between two."""
    return st.builds(JavaKill, after=seconds(1.5))


def broker_kills(longest: float) -> st.SearchStrategy[BrokerKill]:
    """Absences of up to `longest` seconds."""
    return st.builds(BrokerKill, absent=seconds(longest))


def collector_kills() -> st.SearchStrategy[CollectorKill]:
    """Absences of up to 2 seconds."""
    return st.builds(CollectorKill, absent=seconds(2))


def topic_cuts() -> st.SearchStrategy[TopicCut]:
    """Cuts of at most the last third of a partition, often of its last record batch only."""
    share = st.sampled_from([0.0, 0.0, 0.01, 0.05, 0.1, 0.3])
    return st.builds(TopicCut, partition=st.integers(0, 7), share=share)


def faults() -> st.SearchStrategy[Fault]:
    """Faults of every kind, about half of them at named steps."""
    javas = (Java.ENDED, Java.LEFT, Java.SHARED)
    at_a_step = st.sampled_from(Step).flatmap(lambda step: step_deaths(step, 3, *javas))
    others: st.SearchStrategy[Fault] = st.one_of(
        stream_kills(),
        java_kills(),
        broker_kills(longest=10),
        collector_kills(),
        topic_cuts(),
        st.just(PartitionAdd()),
    )
    return st.booleans().flatmap(lambda named: at_a_step if named else others)


@st.composite
def short_schedules(draw: st.DrawFn) -> list[list[Fault]]:
    """Every named step once and every other fault once, in turns of any order.

    Starting a stream takes most of the time. So only two of the streams that die at a step have
    their own Java, and all faults that need a running stream are one turn. That turn follows the
    death in a fold, so that the next stream folds the log that was left behind.
    """
    own = dict(zip(draw(st.permutations(list(Step))), (Java.ENDED, Java.LEFT), strict=False))
    steps = {step: draw(step_deaths(step, 2, own.get(step, Java.SHARED))) for step in Step}
    running = draw(
        st.permutations(
            [
                draw(broker_kills(longest=3)),
                draw(collector_kills()),
                draw(topic_cuts()),
                PartitionAdd(),
            ]
        )
    )
    after_fold = [steps.pop(Step.FOLDED), *running, draw(java_kills())]
    turns: list[list[Fault]] = [after_fold, [draw(stream_kills())]]
    turns += [[death] for death in steps.values()]
    return draw(st.permutations(turns))


def drawn(strategy: st.SearchStrategy[Value], number: int | str) -> Value:
    """Return an example of `strategy`, always the same for the seed `number`.

    A test under Hypothesis would run a second time when it fails: an hour of a long campaign.
    """
    kept: list[Value] = []

    @seed(number)
    @settings(
        max_examples=1,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.booleans(), strategy)
    def keep(varied: bool, value: Value) -> None:
        assume(varied)  # the first example is always the simplest one
        kept.append(value)

    keep()
    return kept[0]


def schedules(kills: int | None, number: int, lines: int) -> list[list[Fault]]:
    """Return the faults of each line for the seed `number`: `kills` in total, or the short form."""
    if kills is None:
        turns = drawn(short_schedules(), number)
    else:
        turns = [[drawn(faults(), f"{number}-{turn}")] for turn in range(kills)]
    return [list(chain.from_iterable(turns[line::lines])) for line in range(lines)]
