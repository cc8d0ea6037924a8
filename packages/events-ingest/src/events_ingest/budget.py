"""The limit on the bytes that the collector holds at a time, over all requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from events_ingest.errors import BufferFull


class Budget:
    """Counts the bytes of arriving bodies and of records that wait for Kafka, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    def reserve(self, size: int) -> None:
        """Add `size` bytes. Raises `BufferFull` if they would exceed the limit."""
        if self.used + size > self._limit:
            raise BufferFull("too much data is waiting for Kafka; send it again later")
        self.used += size

    def release(self, size: int) -> None:
        """Subtract `size` bytes."""
        self.used -= size

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Reserve `size` bytes during the context. Raises `BufferFull`."""
        self.reserve(size)
        try:
            yield
        finally:
            self.release(size)
