"""Which runs are killed, when and how: the same again for a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from publishing_support.dying_run import Point


class Moment(StrEnum):
    """When somebody else kills a run."""

    ANY = "at any time"
    WRITING = "once it writes"
    PUBLISHING = "once its manifest is there"


@dataclass(frozen=True)
class Turn:
    """A run: whole, or killed at a `death`; meanwhile the raw table grows, or right before."""

    death: Moment | Point | None = None
    after: float = 0.0
    """Which part of a run's usual time: at any time, where it is killed; where the table grows."""
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
    """Return 50 turns of which 30 are killed, or 10 and 6; the first and the last two are whole."""
    deaths = [death for death, times in (_LONG if long else _SHORT).items() for _ in range(times)]
    random.shuffle(deaths)
    javas = {moment: random.randrange(2) for moment in Moment}
    turns = []
    for death in (None, *deaths, None, None):
        java = True
        if isinstance(death, Moment):  # in turn, so that both come
            javas[death] += 1
            java = javas[death] % 2 == 0
        turns.append(Turn(death, random.random(), java, random.random() < 0.5))
    return turns
