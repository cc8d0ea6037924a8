"""`events-loadgen simulate` as people run it: a command, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import duckdb
import httpx
import psutil
import pytest

from events_loadgen.waiting import wait_until

MARK = "EVENTS_TEST_MARK"
STEP_SECONDS = 180


class Simulation:
    """A running simulation, whose processes are all known by a variable that they inherit."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder / "line"
        self._mark = uuid4().hex
        self._output = folder / "output.txt"
        command = [sys.executable, "-m", "events_loadgen", "simulate", "--dir", str(self.folder)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *flags],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, MARK: self._mark},
                start_new_session=True,
            )

    def output(self) -> str:
        """Return what it has printed so far."""
        return self._output.read_text("utf-8")

    def wait_for(self, text: str) -> None:
        """Wait until it has printed `text`."""

        def printed() -> bool:
            assert self.process.poll() is None, self.output()
            return text in self.output()

        wait_until(printed, repr(text), seconds=STEP_SECONDS)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to the whole process group, as Ctrl-C does; return the exit code."""
        os.killpg(self.process.pid, number)
        return self.process.wait(60)

    def alive(self) -> list[psutil.Process]:
        """Return every process that it started, or that those started."""
        return [process for process in psutil.process_iter() if self._started(process)]

    def _started(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return (
                process.environ().get(MARK) == self._mark
                and process.status() != psutil.STATUS_ZOMBIE
            )
        return False


@contextmanager
def simulation(folder: Path, *flags: str) -> Iterator[Simulation]:
    """Run a simulation; end all of it, also where the test fails."""
    running = Simulation(folder, *flags)
    try:
        yield running
    finally:
        for process in running.alive():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        running.process.wait(10)


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


def test_the_line_ends_in_tables_and_is_kept_until_ctrl_c(tmp_path: Path) -> None:
    """Every event is in both tables once; the collector takes more with the key as printed."""
    with simulation(tmp_path, "--events", "500", "--seed", "1", "--keep") as running:
        running.wait_for("/track\n")
        said = running.output()
        key, url = re.search(r"X-Token: (\S+)'", said), re.search(r"http://\S+/track", said)
        body = re.search(r"-d '(.*)'", said)
        assert key
        assert url
        assert body
        headers = {"X-Token": key[1], "Content-Type": "application/json"}
        answer = httpx.post(url[0], headers=headers, content=body[1])
        assert answer.status_code == httpx.codes.OK, answer.text
        assert running.signal(signal.SIGINT) == 0
        assert running.alive() == []
    assert "acknowledged  500 of 500 sent" in said
    assert "\nRows in the result dataset: 500\n" in said
    assert "seed          1\n" in said
    query = re.search(r"^SELECT user_id.*?;$", said, re.MULTILINE | re.DOTALL)
    assert query
    rows = duckdb.execute(query[0]).fetchall()
    assert [user_id for user_id, *_ in rows] == [1, 2, 3, 4, 5, 6]
    assert sum(events for _, events, *_ in rows) == 500
