"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

from events_loadgen.errors import TooLate

Pause = Callable[[float], None]
"""Sleeps for so many seconds, or raises to end the waiting."""


def wait_until(
    condition: Callable[[], bool],
    what: str,
    *,
    seconds: float,
    pause: Pause = time.sleep,
    every: float = 0.1,
) -> None:
    """Return once `condition()` holds, asking every `every` seconds.

    Raises `TooLate`, naming `what`, after `seconds`; what `condition` and `pause` raise passes.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TooLate(f"{what} did not come within {seconds:g} s")
        pause(every)
