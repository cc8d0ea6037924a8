"""One aiokafka producer, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from events_ingest.errors import NotAcknowledged

# Requests in a queue for one partition share a batch; below Kafka's default limit of 1 MiB.
_MAX_BATCH_BYTES = 512 * 1024
_CLOSE_SECONDS = 5.0


class Connection:
    """An idempotent producer with the producer id that Kafka gave it.

    It is never mended, only replaced: a batch that was given up leaves a gap in its sequence,
    which its partition refuses from then on. `failure` says why it is to be replaced.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._pending: set[asyncio.Future[object]] = set()
        self.failure: str | None = None

    @classmethod
    async def open(cls, brokers: str, topic: str, *, request_timeout: float) -> Self:
        """Start a producer and learn the topic's partitions. Raises aiokafka's errors."""
        producer = AIOKafkaProducer(
            bootstrap_servers=brokers,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=int(request_timeout * 1000),
            max_batch_size=_MAX_BATCH_BYTES,
        )
        try:
            await producer.start()
            await producer.partitions_for(topic)
        except BaseException:
            await producer.stop()  # its connections; nothing was sent
            raise
        return cls(producer, topic)

    async def send(self, value: bytes, *, settled: Callable[[], None]) -> None:
        """Send `value` to some partition and return once it is acknowledged.

        Given up by its caller, the record stays on its way: `settled` is called when aiokafka is
        done with it, or at once where it did not take it. Raises `NotAcknowledged`.
        """
        try:
            record: asyncio.Future[object] = await self._producer.send(self._topic, value)
        except BaseException as error:
            settled()
            if isinstance(error, KafkaError):
                raise self._failed(error) from error
            raise
        self._pending.add(record)
        record.add_done_callback(self._forget)
        record.add_done_callback(lambda _: settled())
        try:
            # Shielded: a cancelled record would count as settled while its batch is on its way.
            await asyncio.shield(record)
        except KafkaError as error:
            raise self._failed(error) from error

    def _failed(self, error: KafkaError) -> NotAcknowledged:
        self.failure = self.failure or repr(error)
        return NotAcknowledged("Kafka did not take the event; send it again with this event_id")

    def _forget(self, record: asyncio.Future[object]) -> None:
        self._pending.discard(record)
        error = None if record.cancelled() else record.exception()
        if error is not None:
            self.failure = self.failure or repr(error)

    async def close(self, *, grace: float) -> None:
        """Give the records on their way `grace` seconds, fail the rest, and end."""
        if self._pending and grace > 0:
            await asyncio.wait(self._pending, timeout=grace)
        if self._pending:
            await self._abandon()
        else:
            await _bounded(self._producer.stop())
        for record in tuple(self._pending):
            if not record.done():
                record.set_exception(
                    NotAcknowledged("Kafka went away; send the event again with this event_id")
                )

    async def _abandon(self) -> None:
        """End the producer with records left: `stop()` would wait until they are acknowledged."""
        self._producer._closed = True  # noqa: SLF001  # there is no public way to give up
        await _bounded(self._producer._sender.close())  # noqa: SLF001
        await _bounded(self._producer.client.close())


async def _bounded(closing: Coroutine[Any, Any, None]) -> None:
    """Await `closing` for a while: a connection to a silent broker may never end by itself."""
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await closing
