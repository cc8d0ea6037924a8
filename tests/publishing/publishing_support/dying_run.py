"""Runs the job's command in a process that dies by kill -9 while it publishes.

`python dying_run.py POINT run FLAGS` dies at POINT; with `never` it does not die. It uses the Java
process that the environment names, if any. Changes to folders are slow, so that readers see the
states in between.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from events_analytics import cli
from events_analytics.versions import publish


class Point(StrEnum):
    """The point at which a run dies."""

    STAGED = "staged, without a manifest"
    KNOWN = "staged, with its manifest"
    EXCHANGED = "exchanged, the old version without its name"


NEVER = "never"
_CALLS = {Point.STAGED: "create_new", Point.KNOWN: "exchange", Point.EXCHANGED: "exchange"}

SLOW_SECONDS = 0.05
"""How long a change to a folder takes: as long as a few reads."""
_CHANGES = frozenset({"os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.copyfile"})

Call = Callable[..., Any]


def dying(call: Call, point: Point) -> Call:
    """Return a `call` that kills the process: after the call if it exchanges, otherwise before."""

    def last_call(*arguments: Any) -> None:
        if point is Point.EXCHANGED:
            call(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return last_call


def slow_down(event: str, arguments: tuple[Any, ...]) -> None:
    """Sleep at each change. Python reports all changes except the exchange."""
    if event in _CHANGES:
        time.sleep(SLOW_SECONDS)


def main(point: str, arguments: Sequence[str]) -> int:
    """Run the command with `arguments`; return its exit code."""
    if point != NEVER:
        name = _CALLS[Point(point)]
        vars(publish)[name] = dying(vars(publish)[name], Point(point))
    sys.addaudithook(slow_down)
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
