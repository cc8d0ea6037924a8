"""The job's own command in a process that dies by kill -9 at a point of its publishing.

`python dying_run.py POINT run FLAGS`; with `never` it lives. It starts in the Java process that
the environment names, if any. Its disk is slow, so that readers see whatever lies between two
changes.
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
    """Where a run dies."""

    STAGED = "staged, without a manifest"
    KNOWN = "staged, with its manifest"
    EXCHANGED = "exchanged, the old version without its name"


NEVER = "never"
_CALLS = {Point.STAGED: "create_new", Point.KNOWN: "exchange", Point.EXCHANGED: "exchange"}

SLOW_SECONDS = 0.05
"""How long a change takes to a folder: as long as a few reads."""
_CHANGES = frozenset({"os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.copyfile"})

Call = Callable[..., Any]


def dying(call: Call, point: Point) -> Call:
    """Return a `call` with which the process ends: after it where it exchanges, else before."""

    def last_call(*arguments: Any) -> None:
        if point is Point.EXCHANGED:
            call(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return last_call


def slow_down(event: str, arguments: tuple[Any, ...]) -> None:
    """Let each change take a moment; Python tells of all but the exchange."""
    if event in _CHANGES:
        time.sleep(SLOW_SECONDS)


def main(point: str, arguments: Sequence[str]) -> int:
    """Run the command of `arguments`."""
    if point != NEVER:
        name = _CALLS[Point(point)]
        vars(publish)[name] = dying(vars(publish)[name], Point(point))
    sys.addaudithook(slow_down)
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
