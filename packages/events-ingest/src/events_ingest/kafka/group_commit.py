"""Group commit: many events share a record batch and its acknowledgement.

A record batch is sent when it is full, when its time is up, or when no other is in flight. An idle
collector therefore answers at once; the busier it is, the more events share a record batch. This
module is independent of HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Protocol

from aiokafka.producer.message_accumulator import BatchBuilder

from events_ingest.budget import Budget
from events_ingest.errors import NotAcknowledged, ProducerError

RECORD_OVERHEAD = 256
"""Memory in bytes that a waiting event takes besides its value, such as for its future."""

_GIVEN_UP = "the collector could not store the event; send it again with the same event_id"


class RecordSink(Protocol):
    """Accepts record batches."""

    @property
    def lanes(self) -> int:
        """How many record batches can be in flight without one waiting for another."""
        ...

    def create_batch(self) -> BatchBuilder:
        """Return an empty record batch, which refuses records once it is full."""
        ...

    async def send(self, batch: BatchBuilder) -> None:
        """Send the record batch, and return once it is acknowledged, however long that takes.

        Raises `ProducerError` once no acknowledgement can come any more.
        """
        ...


class CommitObserver(Protocol):
    """Gets notified of the outcome of record batches."""

    def acknowledged(self, records: int, seconds: float) -> None:
        """A batch of `records` was acknowledged, `seconds` after its first record was added."""
        ...

    def failed(self, error: ProducerError) -> None:
        """A record batch failed."""
        ...


class _Group:
    """A record batch, and the future shared by everything that waits for one of its records."""

    __slots__ = ("deadline", "future", "opened", "record_batch", "size")

    def __init__(
        self, record_batch: BatchBuilder, future: asyncio.Future[None], opened: float
    ) -> None:
        self.record_batch = record_batch
        self.future = future
        self.opened = opened
        self.size = 0
        self.deadline: asyncio.TimerHandle | None = None


class GroupCommit:
    """Collects values into record batches and sends them to `sink`.

    A future fails after `ack_timeout` seconds at the latest, but the bytes stay reserved in
    `budget` until the sink is done with the record batch. Use it within one event loop.
    """

    def __init__(
        self,
        budget: Budget,
        observer: CommitObserver,
        *,
        linger: float,
        ack_timeout: float,
    ) -> None:
        self._budget = budget
        self._observer = observer
        self._linger = linger
        self._ack_timeout = ack_timeout
        self._group: _Group | None = None
        self._timer: asyncio.Handle | None = None
        self._overdue = False
        self._sending: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()
        """The tasks of `_sending` that send to the current sink."""
        self._sink: RecordSink | None = None

    @property
    def sink(self) -> RecordSink | None:
        """The sink of new record batches; those stuck in an earlier sink do not delay them."""
        return self._sink

    @sink.setter
    def sink(self, sink: RecordSink) -> None:
        self._sink = sink
        self._busy = set()
        if self._overdue:
            self._send()

    def add(self, values: Sequence[bytes]) -> list[asyncio.Future[None]]:
        """Add all `values` or none, and return for each the future of its record batch.

        The futures fail with a `ProducerError`. They are shared, so do not cancel them. A sink
        must be set. Raises `BufferFull`.
        """
        self._budget.reserve(sum(map(len, values)) + RECORD_OVERHEAD * len(values))
        milliseconds = int(time.time() * 1000)
        futures: list[asyncio.Future[None]] = []
        for value in values:
            group = self._group or self._open()
            if group.record_batch.append(timestamp=milliseconds, key=None, value=value) is None:
                self._send()  # it is full; an empty one takes any record
                group = self._open()
                group.record_batch.append(timestamp=milliseconds, key=None, value=value)
            group.size += len(value) + RECORD_OVERHEAD
            futures.append(group.future)
        return futures

    def _open(self) -> _Group:
        assert self.sink is not None  # noqa: S101  # the caller must set it
        loop = asyncio.get_running_loop()
        self._group = group = _Group(self.sink.create_batch(), loop.create_future(), loop.time())
        group.future.add_done_callback(_consume)
        group.deadline = loop.call_later(self._ack_timeout, self._give_up, group)
        if self._busy:
            self._timer = loop.call_later(self._linger, self._send_when_due)
        else:  # after the values that have already arrived, so that they share the record batch
            self._timer = loop.call_soon(self._send)
        return group

    def _send_when_due(self) -> None:
        assert self.sink is not None  # noqa: S101
        if len(self._busy) < self.sink.lanes:
            self._send()
        else:  # it would only wait, so it grows until one in flight is done
            self._overdue = True

    def _send(self) -> None:
        """Send the open group, if there is one."""
        group, self._group = self._group, None
        self._overdue = False
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if group is not None:
            task = asyncio.get_running_loop().create_task(self._deliver(group))
            self._sending.add(task)
            self._busy.add(task)
            task.add_done_callback(self._delivered)

    async def _deliver(self, group: _Group) -> None:
        assert self.sink is not None  # noqa: S101
        # Only a return from `send` is an acknowledgement, whatever error it raises.
        error: ProducerError | None = NotAcknowledged(_GIVEN_UP)
        try:
            await self.sink.send(group.record_batch)
            error = None
        except ProducerError as failure:
            error = failure
        finally:
            self._budget.release(group.size)
            self._settle(group, error)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._busy.discard(task)
        if self._overdue or not self._busy:
            self._send()

    def _give_up(self, group: _Group) -> None:
        text = f"no acknowledgement within {self._ack_timeout:g} s"
        self._settle(group, NotAcknowledged(f"{text}; send it again with the same event_id"))
        if group is self._group:  # later values get their full time in another record batch
            self._send()

    def _settle(self, group: _Group, error: ProducerError | None) -> None:
        if group.deadline:
            group.deadline.cancel()
        if group.future.done():
            return
        if error is None:
            group.future.set_result(None)
            seconds = asyncio.get_running_loop().time() - group.opened
            self._observer.acknowledged(group.record_batch.record_count(), seconds)
        else:
            group.future.set_exception(error)
            self._observer.failed(error)

    async def drain(self, seconds: float) -> None:
        """Send what is left, and wait at most `seconds` for everything in flight."""
        if self.sink is not None:
            self._send()
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)


def _consume(future: asyncio.Future[Any]) -> None:
    """Retrieve the error of a group, so that asyncio does not log it if nothing waits for it."""
    if not future.cancelled():
        future.exception()
