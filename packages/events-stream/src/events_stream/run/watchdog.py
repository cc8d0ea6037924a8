"""Ends a process that makes no progress any more."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from events_stream.errors import Stalled

CHECK_SECONDS = 0.5
POLL_SECONDS = 1
"""How long the stream waits before it looks again at what it waits for."""


class Watchdog:
    """Ends the process if `beat` is not called for `seconds`. Use as a context manager.

    A separate thread ends the process at once, because the main thread may be waiting for a Java
    process that hangs. This is always safe, as kill -9 is.
    """

    def __init__(self, seconds: float, end_java: Callable[[], None] = lambda: None) -> None:
        self._seconds = seconds
        self._end_java = end_java
        self._last = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="watchdog")

    def beat(self) -> None:
        """Report progress."""
        self._last = time.monotonic()

    def pause(self) -> None:
        """Wait for `POLL_SECONDS`, which is progress."""
        # Not `Event.wait`: a signal handler sets the event, and would wait for its lock forever.
        time.sleep(POLL_SECONDS)
        self.beat()

    def __enter__(self) -> Self:
        self.beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(CHECK_SECONDS):
            if time.monotonic() - self._last > self._seconds:
                self._end()

    def _end(self) -> None:
        error = Stalled(
            f"no progress for {self._seconds:g} s (--stall-timeout) in Spark, in Kafka or in a "
            f"command that the stream waits for; nothing is lost, start again"
        )
        print(f"events-stream: {error}", file=sys.stderr, flush=True)
        with suppress(Exception):
            self._end_java()
        os._exit(error.exit_code)
