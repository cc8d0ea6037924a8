"""Signals that are delayed until the end of a step."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from events_schema.runtime.signals import deferring_signals


class Came(BaseException):
    """Raised by the handler that was set before the step."""


def _raise(number: int, _frame: object) -> None:
    raise Came(number)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Handlers that raise; the earlier ones are restored after the test."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, _raise) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def another_thread() -> Iterator[None]:
    """A thread, started earlier as libraries start theirs, that can receive signals."""
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.usefixtures("another_thread")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_whichever_thread_takes_it(number: signal.Signals) -> None:
    """A signal that arrives during the step is handled at its end, and not before."""
    finished: list[bool] = []

    def step() -> None:
        with deferring_signals():
            os.kill(os.getpid(), number)
            deadline = time.monotonic() + 0.2
            while time.monotonic() < deadline:  # Python acts on a signal between two such lines
                pass
            finished.append(True)

    with pytest.raises(Came):
        step()
    assert finished
    assert signal.getsignal(number) is _raise


def test_without_signals_nothing_comes() -> None:
    """A step without signals leaves the handlers and the mask unchanged."""
    with deferring_signals():
        pass
    assert signal.getsignal(signal.SIGINT) is _raise
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
