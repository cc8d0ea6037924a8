"""Handles SIGINT and SIGTERM only at safe points."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from events_loadgen.errors import Interrupted

_SLICE_SECONDS = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Remembers SIGINT and SIGTERM, and raises `Interrupted` at the next `check` or `pause`.

    If the signal handler itself raised, it could do so after a child process starts and before
    the child is registered. Use it as a context manager, in the main thread.
    """

    def __init__(self) -> None:
        self._noticed = False
        self._at_once = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._notice) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise `Interrupted` if a signal has arrived."""
        if self._noticed:
            raise Interrupted("interrupted")

    def pause(self, seconds: float) -> None:
        """Sleep; raise `Interrupted` as soon as a signal arrives or if one has."""
        deadline = time.monotonic() + seconds
        self.check()
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_SECONDS))
            self.check()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise `Interrupted` at once inside the block, for long calls that clean up themselves."""
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _notice(self, *_: object) -> None:
        self._noticed = True
        if self._at_once:
            self._at_once = False  # a second signal must not interrupt the cleanup
            self.check()
