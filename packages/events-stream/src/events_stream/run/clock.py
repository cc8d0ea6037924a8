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
        self._most_ahead = self._ahead()

    @staticmethod
    def _ahead() -> float:
        return time.time() - time.monotonic()

    def look(self) -> None:
        """Note what it shows: Spark goes by that now."""
        self._most_ahead = max(self._most_ahead, self._ahead())

    def was_set_back(self) -> bool:
        """Tell whether it was set back since this was made or has looked."""
        self.look()
        return self._ahead() < self._most_ahead - TOLERANCE_SECONDS
