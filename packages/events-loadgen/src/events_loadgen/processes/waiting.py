"""Waits for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

from events_loadgen.errors import TooLate

Pause = Callable[[float], None]
"""Sleeps for the given number of seconds; raises to stop waiting."""


def wait_until(
    condition: Callable[[], bool],
    what: str,
    *,
    seconds: float,
    pause: Pause = time.sleep,
    every: float = 0.1,
) -> None:
    """Return once `condition()` is true; check it every `every` seconds.

    After `seconds`, raises `TooLate` with "timed out ... waiting for `what`". Errors of
    `condition` and `pause` are not caught.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TooLate(f"timed out after {seconds:g} s waiting for {what}")
        pause(every)
