"""What is killed, when and in which order: drawn by Hypothesis, the same again for a seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TypeVar

from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from events_stream.table.steps import Step

RARE_STEPS = (Step.FOLDED, Step.TIDIED)
"""Not of every batch: a second arrival is a long time to wait for."""

Value = TypeVar("Value")


class Java(StrEnum):
    """What becomes of the Java process of a stream whose Python is killed."""

    ENDED = "ended"
    """It notices, and has ended when the next stream starts."""
    LEFT = "left"
    """It may still be there, and may still write."""
    FROZEN = "frozen"
    """It is stopped together with its Python, and goes on once the next stream has stored."""
    SHARED = "shared"
    """It is one that outlives its streams: the next one starts in it."""


@dataclass(frozen=True)
class Fault:
    """Something is killed by kill -9."""

    @property
    def kind(self) -> str:
        """What, in short."""
        raise NotImplementedError

    def __str__(self) -> str:
        drawn = (f"{name} {value}" for name, value in vars(self).items() if name != "step")
        return f"{self.kind}, {', '.join(drawn)}"


@dataclass(frozen=True)
class StepDeath(Fault):
    """The stream dies at its `nth` arrival at `step`."""

    step: Step
    nth: int
    java: Java

    @property
    def kind(self) -> str:
        """The step."""
        return f"stream at {self.step}"


@dataclass(frozen=True)
class StreamKill(Fault):
    """The stream is killed `after` so many seconds: while it starts, or runs."""

    after: float
    java: Java
    kind = "stream at any time"


@dataclass(frozen=True)
class JavaKill(Fault):
    """The stream's Java process alone is killed, `after` so many seconds beyond a batch."""

    after: float
    kind = "Java"


@dataclass(frozen=True)
class BrokerKill(Fault):
    """The broker is killed, and is `absent` for so many seconds."""

    absent: float
    kind = "broker"


@dataclass(frozen=True)
class CollectorKill(Fault):
    """The collector is killed, and is `absent` for so many seconds."""

    absent: float
    kind = "collector"


def seconds(most: float) -> st.SearchStrategy[float]:
    """Tenths of seconds, up to `most`."""
    return st.integers(0, round(most * 10)).map(lambda tenths: tenths / 10)


def step_deaths(step: Step, latest: int, *javas: Java) -> st.SearchStrategy[StepDeath]:
    """Deaths at `step`: at the first arrival, or up to the `latest`; one of `javas` is theirs."""
    return st.builds(
        StepDeath,
        step=st.just(step),
        nth=st.integers(1, 1 if step in RARE_STEPS else latest),
        java=st.sampled_from(javas),
    )


def stream_kills() -> st.SearchStrategy[StreamKill]:
    """Kills at any time of a stream's start and of its first batches."""
    javas = st.sampled_from([Java.ENDED, Java.LEFT, Java.FROZEN])
    return st.builds(StreamKill, after=seconds(9), java=javas)


def java_kills() -> st.SearchStrategy[JavaKill]:
    """Kills at any time of a batch, or between two."""
    return st.builds(JavaKill, after=seconds(1.5))


def broker_kills(longest: float) -> st.SearchStrategy[BrokerKill]:
    """Absences of any length up to the `longest`."""
    return st.builds(BrokerKill, absent=seconds(longest))


def collector_kills() -> st.SearchStrategy[CollectorKill]:
    """Short absences."""
    return st.builds(CollectorKill, absent=seconds(2))


def faults() -> st.SearchStrategy[Fault]:
    """Faults of every kind, about half of them at named steps."""
    javas = (Java.ENDED, Java.LEFT, Java.SHARED)
    at_a_step = st.sampled_from(Step).flatmap(lambda step: step_deaths(step, 3, *javas))
    others = stream_kills() | java_kills() | broker_kills(longest=10) | collector_kills()
    return st.booleans().flatmap(lambda named: at_a_step if named else others)


@st.composite
def short_schedules(draw: st.DrawFn) -> list[list[Fault]]:
    """Every named step once and everything else once, in turns of any order.

    Starting a stream takes most of the time. So two of those that die at a step have a Java of
    their own, and what needs a stream that runs makes one turn. It comes after the death in a fold,
    so that what the next stream makes of that log is folded.
    """
    own = dict(zip(draw(st.permutations(list(Step))), (Java.ENDED, Java.LEFT), strict=False))
    steps = {step: draw(step_deaths(step, 2, own.get(step, Java.SHARED))) for step in Step}
    running = draw(st.permutations([draw(broker_kills(longest=3)), draw(collector_kills())]))
    after_fold = [steps.pop(Step.FOLDED), *running, draw(java_kills())]
    turns: list[list[Fault]] = [after_fold, [draw(stream_kills())]]
    turns += [[death] for death in steps.values()]
    return draw(st.permutations(turns))


def drawn(strategy: st.SearchStrategy[Value], number: int | str) -> Value:
    """Return an example of `strategy`, always the same for the seed `number`.

    Hypothesis would run a test that fails a second time, which takes an hour of a long campaign.
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
    """Return the faults of each line, so many in all, or the short form, for the seed `number`."""
    if kills is None:
        turns = drawn(short_schedules(), number)
    else:
        turns = [[drawn(faults(), f"{number}-{turn}")] for turn in range(kills)]
    return [list(chain.from_iterable(turns[line::lines])) for line in range(lines)]
