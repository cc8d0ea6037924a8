"""A command of events-stream as a process, and its Java process: each can be killed separately."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.waiting import wait_until
from faults_support import dying_command
from faults_support.faults import Death
from line_support.processes import wait_until_ended

DEADLINE = 120.0


class KillableCommand:
    """A running command that logs to `log`, and dies at `death` if given.

    `arguments` are those of `events-stream`. `environment` is added to that of this process.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        death: Death | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        step, nth = (death.step.value, death.nth) if death else (dying_command.NEVER, 0)
        script = [sys.executable, "-m", dying_command.__name__, step, str(nth)]
        path = {"PYTHONPATH": str(Path(dying_command.__file__).parents[1])}
        self._child = ChildProcess(
            f"events-stream {arguments[0]}",
            [*script, *arguments],
            log=log,
            environment={**path, **(environment or {})},
        )
        self._death = death
        self._started: set[psutil.Process] = set()

    def runs(self) -> bool:
        """Return whether it runs. Each call also records its Java processes."""
        if self._child.exit_code is not None:
            return False
        with suppress(psutil.NoSuchProcess):
            self._started.update(psutil.Process(self._child.pid).children(recursive=True))
        return True

    def check(self) -> None:
        """Raise `ChildFailed` if it has exited."""
        if not self.runs():
            self._child.check()

    @property
    def exit_code(self) -> int | None:
        """The exit code, as in `ChildProcess`."""
        return self._child.exit_code

    @property
    def said(self) -> list[str]:
        """The lines of its output that are not log entries."""
        return [line for line in self._child.output().splitlines() if not line.startswith("{")]

    @property
    def batches(self) -> int:
        """How many batches it has stored."""
        return self._child.output().count('"batch stored"')

    def wait_for_batch(self) -> None:
        """Wait until it has stored one more batch. Raises `ChildFailed` if it exits before that."""
        before = self.batches

        def stored() -> bool:
            self.check()
            return self.batches > before

        wait_until(stored, "a stored batch", seconds=DEADLINE)

    def wait_for_end(self) -> None:
        """Wait until it has exited; its Java may run a moment longer."""
        name = self._child.name
        wait_until(lambda: not self.runs(), f"the end of {name}", seconds=DEADLINE)

    def check_end(self) -> None:
        """Check that it has died as it should, or without a death, that it has succeeded."""
        if self._death is None:
            assert self.exit_code == 0, f"{self.exit_code}: {self.said}"
        else:
            assert self.exit_code == -signal.SIGKILL, f"{self.exit_code}: {self.said}"
            assert self.said[-1] == dying_command.notice(self._death.step), self.said

    def wait_for_java(self) -> None:
        """Wait until its Java has exited because its Python is gone."""
        wait_until_ended(self._started)

    def kill_python(self) -> None:
        """Kill its Python and leave its Java, which exits by itself."""
        assert self.runs()
        os.kill(self._child.pid, signal.SIGKILL)
        self.wait_for_end()

    def kill_java(self) -> None:
        """Kill the processes that it has started, but not its Python."""
        assert self.runs()
        for process in self._started:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def freeze_java(self) -> None:
        """Suspend its Java."""
        assert self.runs()
        for process in self._started:
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def resume_java(self) -> None:
        """Resume a suspended Java."""
        for process in self._started:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def stop(self) -> None:
        """Stop it with SIGTERM. Raises `ChildFailed` if the exit code is not 0."""
        assert self.runs()
        os.kill(self._child.pid, signal.SIGTERM)
        self.wait_for_end()
        if self.exit_code != 0:
            self._child.check()
        self.wait_for_java()

    def kill(self) -> None:
        """Kill all of its processes, in any state."""
        self.runs()
        self._child.kill()
        for process in self._started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.wait_for_java()
