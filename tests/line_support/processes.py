"""Processes that tests started, or that those started."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import psutil

from events_loadgen.processes.waiting import wait_until


def wait_until_ended(processes: Iterable[psutil.Process]) -> None:
    """Wait for all `processes` to end; also those whose parent is gone and has not asked why."""
    for process in processes:
        wait_until(partial(_ended, process), f"the end of {process}", seconds=60)


def _ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
