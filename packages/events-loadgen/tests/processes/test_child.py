"""Tests of child processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from events_loadgen.errors import ChildFailed, TooLate
from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.waiting import wait_until

SLEEPER = "import time; time.sleep(600)"
SLEEPING = [sys.executable, "-c", SLEEPER]
STUBBORN = (
    "import signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('ready', flush=True)\n"
    "time.sleep(600)"
)
PARENT_OF_TWO = f"""
import subprocess, sys, time
same_group = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
own_session = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}], start_new_session=True)
print(same_group.pid, own_session.pid, "ready", flush=True)
time.sleep(600)
"""
OWNER = """
import sys, time
from pathlib import Path
from events_loadgen.processes.child import ChildProcess
child = ChildProcess("child", [sys.executable, "-c", {sleeper!r}], log=Path({log!r}))
print(child.pid, flush=True)
time.sleep(600)
"""


def child(folder: Path, code: str) -> ChildProcess:
    """Start Python code as a child."""
    return ChildProcess("the child", [sys.executable, "-c", code], log=folder / "child.log")


def wait_for_output(process: ChildProcess, text: str) -> None:
    """Wait until the child has printed `text`."""
    wait_until(lambda: text in process.output(), repr(text), seconds=20)


def alive(pid: int) -> bool:
    """Return whether a process runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_child_ends_on_sigterm(tmp_path: Path) -> None:
    """`stop` sends SIGTERM first, and may be called again."""
    with child(tmp_path, SLEEPER) as process:
        process.stop()
        assert process.exit_code == -signal.SIGTERM
        process.stop()


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """`stop` kills a child that does not exit in time."""
    with child(tmp_path, STUBBORN) as process:
        wait_for_output(process, "ready")
        process.stop(seconds=0.2)
        assert process.exit_code == -signal.SIGKILL


@pytest.mark.parametrize("end", [ChildProcess.stop, ChildProcess.kill])
def test_a_child_ends_with_all_it_has_started(
    tmp_path: Path, end: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process group ends with it, and so do children in other sessions, like Spark's Java."""
    monkeypatch.setattr("events_loadgen.processes.child._ORPHAN_SECONDS", 0.2)
    with child(tmp_path, PARENT_OF_TWO) as process:
        wait_for_output(process, "ready")
        started = [int(word) for word in process.output().split()[:2]]
        assert all(map(alive, started))
        assert callable(end)
        end(process)
        wait_until(lambda: not any(map(alive, started)), "the end of both", seconds=10)


@pytest.mark.parametrize("end", [ChildProcess.stop, ChildProcess.kill])
def test_a_reused_process_id_is_not_killed(
    tmp_path: Path, end: Callable[[ChildProcess], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group is killed only while the child is not reaped, so its id cannot be reused."""
    killed: list[int] = []

    def kill_group(group: int, number: int) -> None:
        killed.append(group)
        kill_for_real(group, number)

    kill_for_real = os.killpg
    monkeypatch.setattr(os, "killpg", kill_group)
    leaving = f"import subprocess, sys; print(subprocess.Popen({SLEEPING}).pid)"
    with child(tmp_path, leaving) as process:
        process.wait(seconds=20)
        left = int(process.output())
        assert alive(left)
        assert psutil.pid_exists(process.pid)
        for _ in range(2):
            end(process)
            assert process.exit_code == 0
        wait_until(lambda: not alive(left), "the end of what was left", seconds=10)
    assert killed == [process.pid]


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """The kernel kills a child whose parent was killed."""
    code = OWNER.format(sleeper=SLEEPER, log=str(tmp_path / "child.log"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        pid = int(owner.stdout.readline())
        try:
            assert alive(pid)
        finally:
            owner.kill()
        wait_until(lambda: not alive(pid), "the child's end", seconds=10)


def test_a_child_that_has_failed_is_an_error_with_its_last_lines(tmp_path: Path) -> None:
    """The error has the exit code, the last lines of the log, and the log's path."""
    with child(tmp_path, "import sys; print('it broke'); sys.exit(7)") as process:
        wait_until(lambda: process.exit_code is not None, "its end", seconds=20)
        with pytest.raises(ChildFailed, match=r"the child ended with exit code 7: it broke") as no:
            process.check()
        assert str(tmp_path / "child.log") in str(no.value)
        with pytest.raises(ChildFailed):
            process.wait(seconds=1)


def test_waiting_for_a_child_has_a_deadline(tmp_path: Path) -> None:
    """Waiting times out; a child that exits with 0 is not an error."""
    with child(tmp_path, SLEEPER) as process:
        process.check()
        with pytest.raises(TooLate, match=r"timed out after 0\.1 s waiting for the child to exit"):
            process.wait(seconds=0.1)
    with child(tmp_path, "") as process:
        process.wait(seconds=20)
        assert process.exit_code == 0


def test_output_is_only_this_childs(tmp_path: Path) -> None:
    """A shared log keeps the output of all children; `output` returns only this child's."""
    for word in ("first", "second"):
        with child(tmp_path, f"print('{word}')") as process:
            process.wait(seconds=20)
            assert process.output() == f"{word}\n"
    assert (tmp_path / "child.log").read_text() == "first\nsecond\n"
