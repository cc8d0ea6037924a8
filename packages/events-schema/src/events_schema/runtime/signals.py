"""Delays signals during a step that must not be interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferring_signals() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the context ends.

    At the end it restores the earlier handlers, even if other handlers were set meanwhile. Outside
    the main thread, the only one that gets signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    came: list[int] = []
    for each in _SIGNALS:
        signal.signal(each, lambda number, _frame: came.append(number))
    # SIGINT is also masked, since PySpark sets its own handler at the end of its start. The handler
    # is still needed: a thread of a library such as Arrow may receive the signal. SIGTERM is not
    # masked: child processes inherit the mask, and PySpark's Java, which ignores SIGINT anyway,
    # must receive SIGTERM.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if came:
            signal.raise_signal(came[0])
