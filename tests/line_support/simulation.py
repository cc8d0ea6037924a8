"""Runs `events-loadgen simulate` as a command, and finds the processes that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil

from events_loadgen.processes.waiting import wait_until

MARK = "EVENTS_TEST_MARK"
STEP_SECONDS = 180


class Simulation:
    """A running simulation. An inherited environment variable marks its processes."""

    def __init__(self, folder: Path, *flags: str, cwd: Path | None = None) -> None:
        self.folder = folder / "line"
        self._mark = uuid4().hex
        self._output = folder / "output.txt"
        command = [sys.executable, "-m", "events_loadgen", "simulate", "--dir", str(self.folder)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *flags],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
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
        """Return every running process that it started, directly or indirectly."""
        return [process for process in psutil.process_iter() if self._started(process)]

    def _started(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return (
                process.environ().get(MARK) == self._mark
                and process.status() != psutil.STATUS_ZOMBIE
            )
        return False


@contextmanager
def simulation(folder: Path, *flags: str, cwd: Path | None = None) -> Iterator[Simulation]:
    """Run a simulation in the folder `cwd`; end all of its processes, even if the test fails."""
    running = Simulation(folder, *flags, cwd=cwd)
    try:
        yield running
    finally:
        for process in running.alive():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        running.process.wait(10)
