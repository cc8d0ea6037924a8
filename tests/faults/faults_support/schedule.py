"""Draws what is killed, when and in which order, with Hypothesis. A seed repeats a schedule."""

from __future__ import annotations

from itertools import chain
from typing import TypeVar

from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from events_stream.table.steps import Step
from faults_support.faults import (
    COMPACTION_STEPS,
    ERASING_STEPS,
    FOLDING,
    REWRITING,
    STREAM_STEPS,
    BrokerKill,
    CollectorKill,
    Compaction,
    Death,
    Erasing,
    Fault,
    Java,
    JavaKill,
    PartitionAdd,
    StepDeath,
    StreamKill,
    TopicCut,
)

Value = TypeVar("Value")


def seconds(most: float) -> st.SearchStrategy[float]:
    """Seconds in steps of 0.1, up to `most`."""
    return st.integers(0, round(most * 10)).map(lambda tenths: tenths / 10)


def deaths(step: Step, latest: int) -> st.SearchStrategy[Death]:
    """Deaths at `step`, at the first to the `latest` arrival."""
    return st.builds(Death, st.just(step), st.integers(1, 1 if step in FOLDING else latest))


def step_deaths(step: Step, latest: int, *javas: Java) -> st.SearchStrategy[StepDeath]:
    """Deaths of the stream at `step`, at the first to the `latest` arrival, with one of `javas`."""
    return st.builds(StepDeath, deaths(step, latest), st.sampled_from(javas))


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


def compactions() -> st.SearchStrategy[Compaction]:
    """Compactions that die twice at most, in the first or the second folder."""
    dying = st.sampled_from(COMPACTION_STEPS).flatmap(lambda step: deaths(step, 2))
    return st.builds(Compaction, st.lists(dying, max_size=2).map(tuple), st.booleans())


def erasings() -> st.SearchStrategy[Erasing]:
    """Erasures that die once at most: when they begin, in the first folder, or at the end."""
    dying = st.sampled_from(ERASING_STEPS).flatmap(lambda step: deaths(step, _latest(step)))
    return erasings_with(st.lists(dying, max_size=1).map(tuple), st.booleans())


def _latest(step: Step) -> int:
    """Return how often an erasure of a user who has a row in the table passes `step` at least."""
    if step in REWRITING:
        return 1
    return 2 if step in (Step.PLACED, Step.REMOVED) else 3


def erasings_with(
    deaths: st.SearchStrategy[tuple[Death, ...]], beside: st.SearchStrategy[bool]
) -> st.SearchStrategy[Erasing]:
    """Erasures of up to four users, often of those whose events were sent last."""
    share = st.sampled_from([0.0, 0.2, 0.5, 0.8, 0.95, 1.0, 1.0, 1.0])
    shares = st.lists(share, min_size=1, max_size=2).map(tuple)
    return st.builds(Erasing, deaths, beside, shares, failed=st.booleans())


def faults() -> st.SearchStrategy[Fault]:
    """Faults of every kind: some at the stream's named steps, others, and commands beside it."""
    javas = (Java.ENDED, Java.LEFT, Java.SHARED)
    at_a_step = st.sampled_from(STREAM_STEPS).flatmap(lambda step: step_deaths(step, 3, *javas))
    others: st.SearchStrategy[Fault] = st.one_of(
        stream_kills(),
        java_kills(),
        broker_kills(longest=10),
        collector_kills(),
        topic_cuts(),
        st.just(PartitionAdd()),
    )
    commands: st.SearchStrategy[Fault] = st.one_of(compactions(), erasings())
    kinds = st.sampled_from([at_a_step, others, commands])
    return kinds.flatmap(lambda kind: kind)


SHARED_STEPS = (Step.SYNCED, Step.COMMITTED, Step.FINISHED, Step.FOLDED, Step.TIDIED)
"""Steps around the commit and after it, of which the short form's commands die at two."""


@st.composite
def short_schedules(draw: st.DrawFn) -> list[list[Fault]]:
    """Every named step once and every other fault once, in turns of any order.

    Starting a stream takes most of the time. So only two of the streams that die at a step have
    their own Java, and all faults that need a running stream are one turn. That turn follows the
    death in a fold, so that the next stream folds the log that was left behind.
    """
    own = dict(zip(draw(st.permutations(STREAM_STEPS)), (Java.ENDED, Java.LEFT), strict=False))
    steps = {step: draw(step_deaths(step, 2, own.get(step, Java.SHARED))) for step in STREAM_STEPS}
    compaction, erasing = draw(short_commands())
    running = draw(
        st.permutations(
            [
                draw(broker_kills(longest=3)),
                draw(collector_kills()),
                draw(topic_cuts()),
                PartitionAdd(),
                compaction,
            ]
        )
    )
    after_fold = [steps.pop(Step.FOLDED), *running, draw(java_kills())]
    turns: list[list[Fault]] = [after_fold, [draw(stream_kills())], [erasing]]
    turns += [[death] for death in steps.values()]
    return draw(st.permutations(turns))


@st.composite
def short_commands(draw: st.DrawFn) -> tuple[Compaction, Erasing]:
    """A compaction beside a stream, which dies at each step of `REWRITING`, and an erasure without.

    Both die at one of `SHARED_STEPS`. The erasure only there, since it starts Spark each time.
    """
    shared, other = draw(st.permutations(SHARED_STEPS))[:2]
    steps = draw(st.permutations([*REWRITING, shared]))
    compaction = Compaction(tuple(Death(step, 1) for step in steps), beside=True)
    once = deaths(other, 3).map(lambda death: (death,))
    return compaction, draw(erasings_with(once, st.just(False)))


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
