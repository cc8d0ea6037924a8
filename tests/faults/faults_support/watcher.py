"""A thread that keeps checking something and remembers what was wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

LEAST_REST_SECONDS = 1.0
REST = 8
"""It rests this many times as long as a look took, to leave the machine to others."""


class Watcher:
    """Calls `look` repeatedly in a thread. The end of the `with` block raises `look`'s error."""

    def __init__(self, look: Callable[[], None]) -> None:
        self.looks = 0
        self._look = look
        self._over = threading.Event()
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        self._watching = self._thread.submit(self._watch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.shutdown()
        if error is None:
            self.check()

    def check(self) -> None:
        """Raise the error of `look`, if any."""
        if self._watching.done():
            self._watching.result()

    def _watch(self) -> None:
        rest = 0.0
        while not self._over.wait(rest):
            begun = time.monotonic()
            self._look()
            self.looks += 1
            rest = max(LEAST_REST_SECONDS, REST * (time.monotonic() - begun))
