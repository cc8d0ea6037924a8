"""Tests of the whole line under faults: a kill at the worst moment loses and duplicates nothing.

CI kills the stream at each named step, and every other part once. `hatch run campaign faults
--kills N` kills N times. `--hypothesis-seed` repeats a schedule.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Event, Lock

import pytest

from events_stream.table.position import Counts
from faults_support.campaign import Campaign
from faults_support.faults import REWRITING, STREAM_STEPS, Fault, Maintenance, StepDeath
from faults_support.line import Line
from faults_support.schedule import drawn, schedules
from faults_support.sender import Sender, old_events, recent_events
from faults_support.watcher import Watcher
from line_support.topics import Topics
from stream_support.quick_start import quick_java

pytestmark = pytest.mark.extended

LONG_LINES = 2
"""How many lines a long campaign runs at once: a starting stream keeps one core busy."""

Tell = Callable[[str], None]


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int | None:
    """The number of kills; None for the short form."""
    asked: int | None = pytestconfig.getoption("--kills")
    return asked


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """The seed of the schedule and of the events."""
    asked = str(pytestconfig.getoption("--hypothesis-seed"))
    return int(asked) if asked.isdigit() else secrets.randbelow(2**32)


@pytest.fixture
def tell(kills: int | None, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Print progress: at once in a long campaign, otherwise only if the test fails."""
    begun = time.monotonic()
    speaking = Lock()

    def tell(text: str) -> None:
        with speaking, capsys.disabled() if kills else nullcontext():
            print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True)

    return tell


@dataclass(frozen=True)
class Outcome:
    """The counts of a line's campaign, or the sum over several lines."""

    kills: Counter[str]
    streams: int
    sent_again: int
    sent: int
    acknowledged: int
    records: Counts
    erased_rows: int
    erased_failed: int
    returned: int
    """Rows of erased users, received after the erasure."""
    looks: int

    def __add__(self, other: Outcome) -> Outcome:
        """Return the sums of both."""
        return Outcome(
            *(
                mine + others
                for mine, others in zip(vars(self).values(), vars(other).values(), strict=True)
            )
        )

    def __str__(self) -> str:
        records = self.records
        return (
            f"kills: {', '.join(f'{kind} {n}' for kind, n in sorted(self.kills.items()))}\n"
            f"streams started: {self.streams}; requests sent again: {self.sent_again}\n"
            f"events sent: {self.sent}, acknowledged: {self.acknowledged}, "
            f"stored: {records.stored}; copies dropped: {records.duplicates}; "
            f"failed: {records.failed}\n"
            f"erased: {self.erased_rows} rows, {self.erased_failed} failed events and "
            f"{records.erased} records on the way; rows of later events: {self.returned}\n"
            f"{self.looks} looks of each reader meanwhile"
        )


def test_no_kill_loses_doubles_or_alters_an_event(
    topics: Topics, kills: int | None, seed: int, tell: Tell, tmp_path: Path
) -> None:
    """Readers only ever see sent events, once and unaltered; finally all acknowledged ones.

    But for those that Kafka itself had lost before they were stored, and those that were erased.
    """
    templates = [drawn(recent_events(), f"{seed}-{n}") for n in range(40)]
    templates += [drawn(old_events(days), f"{seed}-{days}") for days in range(1, 5)]
    tell(f"--hypothesis-seed {seed}")
    over = Event()

    def struck(number: int, faults: list[Fault]) -> Outcome:
        folder = tmp_path / f"line-{number}"
        folder.mkdir()
        with Line(folder) as line, Sender(line.url, templates, seed + number) as sender:
            campaign = Campaign(line, sender)
            with Watcher(campaign.checks.look) as watcher:
                for turn, fault in enumerate(faults, 1):
                    if over.is_set():
                        break
                    rows = campaign.checks.rows
                    tell(f"line {number}: {turn} of {len(faults)}, {rows} rows: {fault}")
                    campaign.strike(fault)
                    campaign.checks.look()
                    watcher.check()
                stored = campaign.finish()
        return Outcome(
            campaign.kills,
            len(line.streams),
            sender.tries_again,
            len(sender.sent),
            len(sender.acknowledged),
            *stored,
            watcher.looks,
        )

    quick_java(topics.bootstrap)  # made now, while nothing else runs
    shares = schedules(kills, seed, LONG_LINES if kills else 1)
    with ThreadPoolExecutor(len(shares)) as threads:
        lines = [threads.submit(struck, *share) for share in enumerate(shares)]
        try:
            outcomes = [line.result() for line in as_completed(lines)]
        finally:
            over.set()  # if one has failed, the others stop
    outcome = sum(outcomes[1:], start=outcomes[0])
    tell(str(outcome))
    records = outcome.records
    assert min(records.stored, records.duplicates, records.failed, outcome.sent_again) > 0
    assert min(records.erased, outcome.erased_rows, outcome.returned) > 0


@pytest.mark.parametrize("number", range(5))
def test_the_short_form_dies_at_each_step_once_and_kills_all_else(number: int) -> None:
    """The short form has each fault once, for any seed."""
    faults = list(chain.from_iterable(schedules(None, number, lines=1)))
    steps = [fault.death.step for fault in faults if isinstance(fault, StepDeath)]
    assert sorted(steps) == sorted(STREAM_STEPS)
    others = [fault.kind for fault in faults if not isinstance(fault, StepDeath)]
    kinds = ["Java", "broker", "collector", "compaction", "erasing", "partition"]
    assert sorted(others) == [*kinds, "stream at any time", "topic cut"]
    commands = [fault for fault in faults if isinstance(fault, Maintenance)]
    deaths = [{death.step for death in fault.deaths} for fault in commands]
    assert sorted(map(len, deaths)) == [1, 4]
    assert {*REWRITING} < deaths[0] | deaths[1]
    assert not deaths[0] & deaths[1]
