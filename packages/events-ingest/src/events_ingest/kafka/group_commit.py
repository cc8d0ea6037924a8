"""Group commit: many events share a record batch, and one acknowledgement answers for them all.

Nothing here knows of HTTP. A record batch is sent when it is full, when its time is up, or as
soon as nothing else is on its way: an idle collector answers at once, and the busier it is, the
more events share a record batch.
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
"""Bytes that an event on its way takes beside its value: who waits for it, its place."""

_GIVEN_UP = "the collector gave the event up; send it again with the same event_id"


class RecordSink(Protocol):
    """Takes record batches."""

    @property
    def lanes(self) -> int:
        """How many record batches can be on their way at a time without one waiting for another."""
        ...

    def create_batch(self) -> BatchBuilder:
        """Return an empty record batch, which refuses records once it is full."""
        ...

    async def send(self, batch: BatchBuilder) -> None:
        """Return once the record batch is acknowledged, however long that takes.

        Raises `ProducerError` once it is sure that no more will come of it.
        """
        ...


class CommitObserver(Protocol):
    """Is told what becomes of record batches."""

    def acknowledged(self, records: int, seconds: float) -> None:
        """A record batch was acknowledged so many seconds after its first record came."""
        ...

    def failed(self, error: ProducerError) -> None:
        """A record batch was given up."""
        ...


class _Group:
    """A record batch, and the future that all who wait for one of its records share."""

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
    """Collects values into record batches, and sends them to `sink`.

    A group's future fails after `ack_timeout` seconds at the latest, but its bytes stay reserved
    in `budget` until the sink is done with it. Use within one event loop.
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
        """Those of `_sending` that are on their way to the sink that is set now."""
        self._sink: RecordSink | None = None

    @property
    def sink(self) -> RecordSink | None:
        """Where the record batches go. What hangs in an earlier one keeps nothing from going."""
        return self._sink

    @sink.setter
    def sink(self, sink: RecordSink) -> None:
        self._sink = sink
        self._busy = set()
        if self._overdue:
            self._send()

    def add(self, values: Sequence[bytes]) -> list[asyncio.Future[None]]:
        """Take `values`, all or none, and return for each the future of its record batch.

        The futures fail with `NotAcknowledged`; they are shared, so do not cancel them. Raises
        `BufferFull`. A sink must be set.
        """
        self._budget.reserve(sum(map(len, values)) + RECORD_OVERHEAD * len(values))
        milliseconds = int(time.time() * 1000)
        futures: list[asyncio.Future[None]] = []
        for value in values:
            group = self._group or self._open()
            if group.record_batch.append(timestamp=milliseconds, key=None, value=value) is None:
                self._send()  # it is full, and the next one takes any record
                group = self._open()
                group.record_batch.append(timestamp=milliseconds, key=None, value=value)
            group.size += len(value) + RECORD_OVERHEAD
            futures.append(group.future)
        return futures

    def _open(self) -> _Group:
        assert self.sink is not None  # noqa: S101  # the caller's duty
        loop = asyncio.get_running_loop()
        self._group = group = _Group(self.sink.create_batch(), loop.create_future(), loop.time())
        group.future.add_done_callback(_consume)
        group.deadline = loop.call_later(self._ack_timeout, self._give_up, group)
        if self._busy:
            self._timer = loop.call_later(self._linger, self._send_when_due)
        else:  # after what has arrived by now, so that it shares the record batch
            self._timer = loop.call_soon(self._send)
        return group

    def _send_when_due(self) -> None:
        assert self.sink is not None  # noqa: S101
        if len(self._busy) < self.sink.lanes:
            self._send()
        else:  # it would only wait: let it grow until one of those on their way is done
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
        # Whatever happens, only a return from `send` is an acknowledgement.
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
        if group is self._group:  # later values get all their time, in another record batch
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
        """Send what is left, and wait so many seconds for what is on its way."""
        if self.sink is not None:
            self._send()
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)


def _consume(future: asyncio.Future[Any]) -> None:
    """Retrieve the error of a group that nobody waits for any more."""
    if not future.cancelled():
        future.exception()
