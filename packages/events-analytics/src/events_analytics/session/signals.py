"""Handles SIGINT and SIGTERM during a run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from events_analytics.errors import Interrupted, Terminated

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EndingSignals:
    """Sets whether a signal ends the run (`allow`) or comes too late (`ignore`)."""

    def __init__(self) -> None:
        self._error: type[Interrupted] = Interrupted

    def allow(self) -> None:
        """End the run at the next signal."""
        for each in _SIGNALS:
            signal.signal(each, self._raise)

    def ignore(self) -> None:
        """Ignore signals, so that the run finishes."""
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)

    def error(self) -> Interrupted:
        """Return the error for the signal that came."""
        return self._error("interrupted; the old result stays")

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        self.ignore()  # only short clean-up work follows
        if number == signal.SIGTERM:
            self._error = Terminated
        # PySpark catches `Exception`, so anything less would not end the run.
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[EndingSignals]:
    """Turn SIGINT and SIGTERM into the errors `Interrupted` and `Terminated`."""
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
