"""The geometry of a bar chart: horizontally in per cent, to fit any width, vertically in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 220
"""The height of the area of the bars, in pixels."""

_TICKS_DOWN = 4
_TICKS_ACROSS = 6
_GAP = 0.18
"""The part of a bin's width that stays empty."""
_WIDEST = 10
"""The largest width of a bar, in per cent, for charts with few bins."""


@dataclass(frozen=True)
class Bar:
    """One bar. The area from `left`, `span` wide, reacts to the pointer."""

    left: float
    span: float
    inset: float
    width: float
    top: float
    height: float


@dataclass(frozen=True)
class Tick:
    """A value on the axis, and the distance of its line from the top in pixels."""

    value: int
    top: float


@dataclass(frozen=True)
class Mark:
    """The label of a bin below the chart, `left` per cent from the left.

    A narrow page shows only the `essential` ones.
    """

    index: int
    left: float
    anchor: str
    essential: bool


@dataclass(frozen=True)
class BarChart:
    """The positions of the parts of a chart."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]


def bar_chart(values: Sequence[int]) -> BarChart:
    """Lay out one bar for each of the `values`, which must not be negative."""
    step = nice_step(max(values, default=0))
    top = step * max(1, -(-max(values, default=0) // step))
    span = 100 / max(1, len(values))
    return BarChart(
        bars=tuple(_bar(index, span, value / top) for index, value in enumerate(values)),
        ticks=tuple(
            Tick(value, round(HEIGHT * (1 - value / top), 2)) for value in range(0, top + 1, step)
        ),
        marks=tuple(_marks(len(values), span)),
    )


def nice_step(most: int) -> int:
    """Return the distance between ticks up to `most`: 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if most <= step * _TICKS_DOWN:
                return step
        power *= 10


def _bar(index: int, span: float, part: float) -> Bar:
    # A value above 0 is always visible, however small.
    width = min(span * (1 - _GAP), _WIDEST)
    height = max(HEIGHT * part, 1.5) if part else 0.0
    return Bar(
        left=round(index * span, 4),
        span=round(span, 4),
        inset=round((index + 0.5) * span - width / 2, 4),
        width=round(width, 4),
        top=round(HEIGHT - height, 2),
        height=round(height, 2),
    )


def _marks(count: int, span: float) -> list[Mark]:
    shown = min(count, _TICKS_ACROSS + 1)
    chosen = [index * (count - 1) // max(1, shown - 1) for index in range(shown)]
    essential = {chosen[0], chosen[len(chosen) // 2], chosen[-1]} if chosen else set()
    marks = []
    for index in chosen:
        left, anchor = (index + 0.5) * span, "middle"
        if left < 100 / _TICKS_ACROSS / 2:
            left, anchor = index * span, "start"
        elif left > 100 - 100 / _TICKS_ACROSS / 2:
            left, anchor = (index + 1) * span, "end"
        marks.append(Mark(index, round(left, 4), anchor, index in essential))
    return marks


def portion(part: int, whole: int) -> float:
    """Return `part` in per cent of `whole`, for a bar that is one of several in a row."""
    return round(100 * part / whole, 4)


def percent(part: int, most: int) -> float:
    """Return `part` in per cent of `most`, for a bar that is visible however short."""
    return max(round(100 * part / most, 2), 0.3) if part else 0.0
