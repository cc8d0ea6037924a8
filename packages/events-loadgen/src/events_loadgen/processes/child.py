"""Child processes that never outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from events_loadgen.errors import ChildFailed, TooLate
from events_loadgen.processes.waiting import Pause, wait_until

STOP_SECONDS = 20.0
_ORPHAN_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
_LOG_LINES = 3


class ChildProcess:
    """A command that runs in its own session and dies with this process, even by kill -9.

    Its output goes to the file `log`. Start it from a thread that lives as long as the command
    should: Linux kills it when that thread ends. Use it as a context manager, or call `stop`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509  # one bound system call
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, or minus the number of the signal that ended it; None while it runs."""
        if self._process.returncode is not None:
            return self._process.returncode
        # Not reaped yet, so that its id and its group's id are not reused before `_kill`.
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def check(self) -> None:
        """Raise `ChildFailed`, with the log's last lines, if the process has exited."""
        if self.exit_code is not None:
            raise ChildFailed(
                f"{self.name} ended with exit code {self.exit_code}: {self.last_lines()} "
                f"(full log: {self.log})"
            )

    def wait(self, *, seconds: float, pause: Pause = time.sleep) -> None:
        """Wait until the process exits with 0.

        Raises `TooLate` after `seconds`, and `ChildFailed` for any other exit code.
        """
        self._wait_for_end(seconds, pause)
        if self.exit_code != 0:
            self.check()

    def _wait_for_end(self, seconds: float, pause: Pause) -> None:
        wait_until(
            lambda: self.exit_code is not None,
            f"{self.name} to exit",
            seconds=seconds,
            pause=pause,
            every=0.05,
        )

    def output(self) -> str:
        """Return the output of this process so far."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode("utf-8", "replace")

    def last_lines(self) -> str:
        """Return the last lines of this process's output."""
        return "\n".join(self.output().strip().splitlines()[-_LOG_LINES:])

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop the process, and all that it has started, by SIGTERM; by SIGKILL after `seconds`.

        Does nothing if it has already been stopped.
        """
        descendants = self._descendants()
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGTERM)
            with suppress(TooLate):
                self._wait_for_end(seconds, time.sleep)
            # Spark's Java exits by itself after its Python; it only needs a moment.
            psutil.wait_procs(descendants, timeout=_ORPHAN_SECONDS)
        self._kill(descendants)

    def kill(self) -> None:
        """Kill the process, and all that it has started, with SIGKILL."""
        self._kill(self._descendants())

    def _descendants(self) -> list[psutil.Process]:
        # Listed before the process ends: Spark's Java is not in its process group.
        if self.exit_code is not None:
            return []
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _kill(self, descendants: Sequence[psutil.Process]) -> None:
        if self._process.returncode is None:  # a reaped id may belong to another process
            os.killpg(self.pid, signal.SIGKILL)
        for descendant in descendants:
            with suppress(psutil.NoSuchProcess):
                descendant.kill()
        self._process.wait()
        psutil.wait_procs(descendants, timeout=_ORPHAN_SECONDS)


def _dying_with(parent: int) -> Callable[[], None]:
    """Return the function that a child runs first, so that it dies with `parent`."""
    prctl = ctypes.CDLL(None).prctl  # before the fork: after it, imports and locks can hang

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent has exited already, so no signal will come
            os._exit(1)

    return prepare
