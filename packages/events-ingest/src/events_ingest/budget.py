"""How many bytes the collector may hold at a time, over all requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from events_ingest.errors import BufferFull


class Budget:
    """A count of bytes with a limit: of bodies that arrive, and of records that wait for Kafka."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    def reserve(self, size: int) -> None:
        """Count `size` bytes. Raises `BufferFull` where they would exceed the limit."""
        if self.used + size > self._limit:
            raise BufferFull("too much waits for Kafka; send it again later")
        self.used += size

    def release(self, size: int) -> None:
        """Count `size` bytes no more."""
        self.used -= size

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Count `size` bytes for as long as the context. Raises `BufferFull`."""
        self.reserve(size)
        try:
            yield
        finally:
            self.release(size)
