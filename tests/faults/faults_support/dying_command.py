"""Runs a command of events-stream in a process that dies at a named step, for the fault campaign.

`python dying_command.py STEP NTH COMMAND FLAGS` dies by kill -9 when it reaches STEP for the NTH
time, and leaves its Java process running. With `never 0` it does not die. The log is folded often.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from itertools import count

from events_stream import cli
from events_stream.commands import compact, erase
from events_stream.run.metrics import StreamMetrics
from events_stream.table.folder import log as commit_log
from events_stream.table.folder.open import open_for_maintenance
from events_stream.table.steps import Step, Watch
from faults_support.faults import FOLDING
from faults_support.shared_java import PORT, end_predecessor

NEVER = "never"
FOLD_COMMITS = 3
"""Instead of 100, which a campaign would not reach."""


def notice(step: str) -> str:
    """Return what is logged right before the death."""
    return f"dies at {step}"


def dying_at(step: Step, nth: int) -> Watch:
    """Return a function that kills the process when `step` is reached for the `nth` time."""
    arrivals = count(1)

    def die(passed: Step) -> None:
        if passed is step and next(arrivals) == nth:
            print(notice(step), file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    return die


def let_die(die: Watch) -> None:
    """Call `die` at each step of each command."""
    reached = StreamMetrics.reached

    def reached_or_dead(metrics: StreamMetrics, passed: Step) -> None:
        die(passed)
        reached(metrics, passed)

    StreamMetrics.reached = reached_or_dead  # type: ignore[method-assign,assignment]
    for command in (compact, erase):
        command.open_for_maintenance = partial(open_for_maintenance, watch=die)  # type: ignore[attr-defined]


def main(step: str, nth: str, arguments: Sequence[str]) -> int:
    """Run the command with `arguments`; return its exit code."""
    commit_log.FOLD_COMMITS = FOLD_COMMITS
    if step in FOLDING and arguments[0] != "run":
        commit_log.FOLD_COMMITS = 1  # it might be over before it folds
    if PORT in os.environ:
        end_predecessor()
    if step != NEVER:
        let_die(dying_at(Step(step), int(nth)))
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
