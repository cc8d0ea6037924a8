"""Signals that must wait for a step that cannot be interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferring_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait for the end of the context.

    The handlers are then those from before it, whatever was set in it. Outside the main thread,
    which alone gets signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    came: list[int] = []
    for each in _SIGNALS:
        signal.signal(each, lambda number, _frame: came.append(number))
    # Also by the mask, since PySpark sets a handler of its own in the end; but a thread that a
    # library has started, such as Arrow's, may take the signal, and then the handler counts. A
    # process that is started inherits the mask: PySpark's Java ignores SIGINT anyway, but must
    # be open to SIGTERM.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if came:
            signal.raise_signal(came[0])
