"""Noticing that this machine's clock was set back."""

from __future__ import annotations

import time

TOLERANCE_SECONDS = 1.0


class WallClock:
    """The wall clock beside one that is never set.

    Spark waits until its next trigger by the wall clock: set back by an hour, it would wait an
    hour more.
    """

    def __init__(self) -> None:
        self._ahead = self._difference()

    @staticmethod
    def _difference() -> float:
        return time.time() - time.monotonic()

    def was_set_back(self) -> bool:
        """Tell whether it was set back since this was made or asked last."""
        before, self._ahead = self._ahead, self._difference()
        return self._ahead < before - TOLERANCE_SECONDS
