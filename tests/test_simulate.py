"""`events-loadgen simulate` as people run it: a command, and what it leaves behind."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from events_loadgen.processes.waiting import wait_until
from line_support.simulation import simulation

pytestmark = pytest.mark.extended


@pytest.mark.parametrize("step", ["Starting Kafka", "Storing events"])
def test_ctrl_c_leaves_no_process_behind(step: str, tmp_path: Path) -> None:
    """Interrupted before it is complete, it says so by exit code 130, on one line."""
    with simulation(tmp_path, "--events", "2000") as running:
        running.wait_for(step)
        assert running.signal(signal.SIGINT) == 130
        assert running.alive() == []
        assert running.output().splitlines()[-1] == "events-loadgen: interrupted"


def test_a_killed_simulation_leaves_no_process_behind(tmp_path: Path) -> None:
    """Also kill -9, after which nothing of it can tidy up."""
    with simulation(tmp_path, "--events", "100") as running:
        running.wait_for("Storing events")
        assert running.signal(signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: not running.alive(), "the end of all processes", seconds=30)


def test_a_part_that_fails_ends_the_simulation(tmp_path: Path) -> None:
    """One line names the part and what it said last; the others are stopped."""
    with simulation(tmp_path, "--events", "100000") as running:
        running.wait_for("Posting events")
        ours = running.process.pid
        collector = next(
            p for p in psutil.Process(ours).children() if "events_ingest" in p.cmdline()
        )
        collector.kill()
        assert running.process.wait(60) == 1
        assert running.alive() == []
        said = running.output().splitlines()[-1]
    assert said.startswith("events-loadgen: events-ingest serve ended with exit code -9: ")
