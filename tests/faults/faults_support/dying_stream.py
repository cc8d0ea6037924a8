"""Runs the stream's command in a process that dies at a named step, for the fault campaign.

`python dying_stream.py STEP NTH run FLAGS` dies by kill -9 when it reaches STEP for the NTH time,
and leaves its Java process running. With `never 0` it does not die. The log is folded often.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from itertools import count

from events_stream import cli
from events_stream.run.metrics import StreamMetrics
from events_stream.table.folder import log as commit_log
from events_stream.table.steps import Step
from faults_support.shared_java import PORT, end_predecessor

NEVER = "never"
FOLD_COMMITS = 3
"""Instead of 100, which a campaign would not reach."""

Reached = Callable[[StreamMetrics, Step], None]


def notice(step: str) -> str:
    """Return what is logged right before the death."""
    return f"dies at {step}"


def dying_at(step: Step, nth: int, reached: Reached) -> Reached:
    """Return a `reached` that kills the process when it reaches `step` for the `nth` time."""
    arrivals = count(1)

    def reached_or_dead(metrics: StreamMetrics, passed: Step) -> None:
        if passed is step and next(arrivals) == nth:
            print(notice(step), file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        reached(metrics, passed)

    return reached_or_dead


def main(step: str, nth: str, arguments: Sequence[str]) -> int:
    """Run the command with `arguments`; return its exit code."""
    commit_log.FOLD_COMMITS = FOLD_COMMITS
    if PORT in os.environ:
        end_predecessor()
    if step != NEVER:
        mortal = dying_at(Step(step), int(nth), StreamMetrics.reached)
        StreamMetrics.reached = mortal  # type: ignore[method-assign,assignment]
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
