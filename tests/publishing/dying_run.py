"""The job's own command in a process that dies by kill -9 at a point of its publishing.

`python dying_run.py POINT run FLAGS`; with `never` it lives. It starts in the Java process that
the environment names, if any.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from events_analytics import cli, publish


class Point(StrEnum):
    """Where a run dies."""

    STAGED = "staged, without a manifest"
    KNOWN = "staged, with its manifest"
    EXCHANGED = "exchanged, the old version without its name"


NEVER = "never"
_CALLS = {Point.STAGED: "create_new", Point.KNOWN: "exchange", Point.EXCHANGED: "exchange"}

Call = Callable[..., Any]


def dying(call: Call, point: Point) -> Call:
    """Return a `call` with which the process ends: after it where it exchanges, else before."""

    def last_call(*arguments: Any) -> None:
        if point is Point.EXCHANGED:
            call(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return last_call


def main(point: str, arguments: Sequence[str]) -> int:
    """Run the command of `arguments`."""
    if point != NEVER:
        name = _CALLS[Point(point)]
        vars(publish)[name] = dying(vars(publish)[name], Point(point))
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
