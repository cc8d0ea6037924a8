"""SIGINT and SIGTERM during a run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from events_analytics.errors import Interrupted, Terminated

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EndingSignals:
    """Says whether a signal ends the run (`allow`) or comes too late for that (`ignore`)."""

    def __init__(self) -> None:
        self._error: type[Interrupted] = Interrupted

    def allow(self) -> None:
        """Let the next signal end the run."""
        for each in _SIGNALS:
            signal.signal(each, self._raise)

    def ignore(self) -> None:
        """Let the run finish, whatever comes."""
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)

    def error(self) -> Interrupted:
        """Return the error for the signal that came."""
        return self._error("interrupted; the old result stays")

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        self.ignore()  # what follows is cleaning up, and short
        if number == signal.SIGTERM:
            self._error = Terminated
        # Nothing less passes through PySpark's own `except Exception`.
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[EndingSignals]:
    """Turn SIGINT and SIGTERM into `Interrupted` and `Terminated`, raised where the run is."""
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    signals = EndingSignals()
    signals.allow()
    try:
        yield signals
    except KeyboardInterrupt:
        raise signals.error() from None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
