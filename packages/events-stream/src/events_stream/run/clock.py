"""Detects that this machine's clock was set back."""

from __future__ import annotations

import time

TOLERANCE_SECONDS = 1.0


class WallClock:
    """Compares the wall clock with the monotonic clock, which is never set.

    Spark waits for its next trigger by the wall clock. If that is set back by an hour, Spark would
    wait an hour longer.
    """

    def __init__(self) -> None:
        self._most_ahead = self._ahead()

    @staticmethod
    def _ahead() -> float:
        return time.time() - time.monotonic()

    def look(self) -> None:
        """Note the wall clock's time, on which Spark relies from now on."""
        self._most_ahead = max(self._most_ahead, self._ahead())

    def was_set_back(self) -> bool:
        """Return whether the clock was set back since this object was made or last looked."""
        self.look()
        return self._ahead() < self._most_ahead - TOLERANCE_SECONDS
