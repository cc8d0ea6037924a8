"""Measures whether `events-stream run` with its default flags keeps up with a rate."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table as Shown

from bench.stream.filled_topic import NOON, Events, fill, producing
from bench.stream.processes import Figures, Stream
from events_stream.table.folder.log import read_state

TRIGGER_SECONDS = 60
LOOK_SECONDS = 1.0


@dataclass
class Lag:
    """How many records the stream was behind, every second."""

    rate: int
    records: list[int] = field(default_factory=list)

    @property
    def triggers(self) -> float:
        """The last lag, in triggers: how long it takes for as many records to arrive."""
        return self.records[-1] / self.rate / TRIGGER_SECONDS

    @property
    def caught_up_after(self) -> int | None:
        """The seconds after which the lag was at most two triggers, and stayed there."""
        most = 2 * TRIGGER_SECONDS * self.rate
        above = [second for second, lag in enumerate(self.records) if lag > most]
        after = above[-1] + 1 if above else 0
        return after if after < len(self.records) else None


def sustained(
    brokers: str, folder: Path, console: Console, *, rate: int, minutes: int, backlog: int
) -> Figures:
    """Measure and show how far the stream is behind while `rate` events per second arrive.

    The topic has `backlog` events when it starts.
    """
    stream = Stream(brokers, "sustained", folder / "sustained")
    fill(brokers, stream.topic, Events(rate, first=NOON), backlog)
    events = Events(rate, first=datetime.now(UTC) - timedelta(seconds=backlog / rate))
    lag = Lag(rate)
    with producing(brokers, stream.topic, events, start=backlog) as produced, stream.run() as run:
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            run.check()
            lag.records.append(produced.count - _read(stream))
            time.sleep(LOOK_SECONDS)
    shown = Shown("events/s", "backlog", "produced", "largest lag", "lag at the end", "in triggers")
    numbers = (rate, backlog, produced.count, max(lag.records), lag.records[-1])
    shown.add_row(*(f"{number:,}" for number in numbers), f"{lag.triggers:.2f}")
    console.print(shown)
    after = lag.caught_up_after
    console.print("did not catch up" if after is None else f"caught up after {after} s")
    return {
        "events_per_second": rate,
        "backlog": backlog,
        "produced": produced.count,
        "lag": lag.records,
        "lag_at_the_end_in_triggers": lag.triggers,
        "caught_up_after_seconds": after,
    }


def _read(stream: Stream) -> int:
    return read_state(stream.paths.log).position.totals.read if stream.paths.log.is_dir() else 0
