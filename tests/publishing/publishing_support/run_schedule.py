"""Draws which runs are killed, when and how. A seed repeats a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from publishing_support.dying_run import Point


class Moment(StrEnum):
    """When the campaign kills a run."""

    ANY = "at any time"
    WRITING = "once it writes"
    PUBLISHING = "once its manifest is there"


@dataclass(frozen=True)
class Turn:
    """One run, complete or killed at `death`. The raw table grows during the run or before it."""

    death: Moment | Point | None = None
    after: float = 0.0
    """The fraction of a run's usual time after which it is killed (`ANY`) or the table grows."""
    java: bool = True
    """Whether its Java is killed with it."""
    growing: bool = False

    def __str__(self) -> str:
        death = f"killed {self.death}, Java too: {self.java}" if self.death else "whole"
        return f"{death}; {self.after:.2f}, growing meanwhile: {self.growing}"


_SHORT: Mapping[Moment | Point | None, int] = {
    None: 1,
    Moment.ANY: 2,
    Moment.WRITING: 1,
    Moment.PUBLISHING: 0,
    **dict.fromkeys(Point, 1),
}
_LONG: Mapping[Moment | Point | None, int] = {
    None: 17,
    Moment.ANY: 9,
    Moment.WRITING: 6,
    Moment.PUBLISHING: 6,
    **dict.fromkeys(Point, 3),
}


def schedule(random: Random, *, long: bool) -> list[Turn]:
    """Return 50 turns with 30 kills, or 10 with 6. The first and the last two are not killed."""
    deaths = [death for death, times in (_LONG if long else _SHORT).items() for _ in range(times)]
    random.shuffle(deaths)
    javas = {moment: random.randrange(2) for moment in Moment}
    turns = []
    for death in (None, *deaths, None, None):
        java = True
        if isinstance(death, Moment):  # alternating, so that both occur
            javas[death] += 1
            java = javas[death] % 2 == 0
        turns.append(Turn(death, random.random(), java, random.random() < 0.5))
    return turns
