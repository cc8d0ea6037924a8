"""Waits for processes that tests have started, directly or indirectly."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import psutil

from events_loadgen.processes.waiting import wait_until


def wait_until_ended(processes: Iterable[psutil.Process]) -> None:
    """Wait until all `processes` have ended, including zombies that nobody has reaped."""
    for process in processes:
        wait_until(partial(_ended, process), f"{process} to end", seconds=60)


def _ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
