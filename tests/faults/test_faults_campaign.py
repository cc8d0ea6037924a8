"""The whole line under faults: what is killed at the worst moment costs no event and no copy.

CI kills the stream at each named step, and everything else once; `hatch run campaign faults
--kills N` kills as often as asked. `--hypothesis-seed` repeats a schedule.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from campaign import Campaign
from events_stream.commit import Counts
from events_stream.steps import Step
from line import Line
from schedule import StepDeath, drawn, schedule
from sender import Sender, old_events, recent_events
from watcher import Watcher

Tell = Callable[[str], None]


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int | None:
    """How often to kill; None for the short form."""
    asked: int | None = pytestconfig.getoption("--kills")
    return asked


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """What all is drawn with."""
    asked = str(pytestconfig.getoption("--hypothesis-seed"))
    return int(asked) if asked.isdigit() else secrets.randbelow(2**32)


@pytest.fixture
def tell(kills: int | None, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Says how it goes: at once in a long campaign, else where it fails."""
    begun = time.monotonic()

    def tell(text: str) -> None:
        with capsys.disabled() if kills else nullcontext():
            print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True)

    return tell


def test_no_kill_loses_doubles_or_alters_an_event(
    kills: int | None, seed: int, tell: Tell, tmp_path: Path
) -> None:
    """Acknowledged is stored, stored was sent, each event once and as it was: at any moment."""
    faults = schedule(kills, seed)
    templates = [drawn(recent_events(), f"{seed}-{n}") for n in range(40)]
    templates += [drawn(old_events(), f"{seed}-{n}") for n in range(4)]
    tell(f"--hypothesis-seed {seed}")
    with Line(tmp_path) as line, Sender(line.url, templates, seed) as sender:
        campaign = Campaign(line, sender)
        with Watcher(campaign.look) as watcher:
            campaign.warm_up()
            for number, fault in enumerate(faults, 1):
                tell(f"{number} of {len(faults)}, {campaign.rows} rows: {fault}")
                campaign.strike(fault)
                campaign.look()
                watcher.check()
            counts = campaign.finish()
    assert min(counts.stored, counts.duplicates, counts.failed, sender.tries_again) > 0
    for text in summary(campaign, counts):
        tell(text)
    tell(f"{watcher.looks} looks of each reader in between")


def summary(campaign: Campaign, counts: Counts) -> Iterator[str]:
    """Say what there was."""
    line, sender = campaign.line, campaign.sender
    yield "kills: " + ", ".join(f"{kind} {n}" for kind, n in sorted(campaign.kills.items()))
    yield f"streams started: {len(line.streams)}; requests sent again: {sender.tries_again}"
    yield (
        f"events sent: {len(sender.sent)}, acknowledged: {len(sender.acknowledged)}, "
        f"stored: {counts.stored}; copies dropped: {counts.duplicates}; failed: {counts.failed}"
    )


@pytest.mark.parametrize("number", range(5))
def test_the_short_form_dies_at_each_step_once_and_kills_all_else(number: int) -> None:
    """Whatever the seed."""
    faults = schedule(None, number)
    assert sorted(fault.step for fault in faults if isinstance(fault, StepDeath)) == sorted(Step)
    others = [fault.kind for fault in faults if not isinstance(fault, StepDeath)]
    assert sorted(others) == ["Java", "broker", "collector", "stream at any time"]
