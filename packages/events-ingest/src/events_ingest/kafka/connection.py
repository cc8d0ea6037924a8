"""One aiokafka producer, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from events_ingest.errors import BrokerUnavailable, NotAcknowledged
from events_ingest.kafka import clients


class Connection:
    """An idempotent producer with the producer id that Kafka gave it: a sink for record batches.

    It is never mended, only replaced: a record batch that was given up leaves a gap in its
    sequence, which its partition refuses from then on. `failure` says why it is to be replaced.
    `partitions` are those that take records now; whoever watches Kafka keeps them up to date.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: Collection[int]) -> None:
        self._producer = producer
        self._topic = topic
        self._on_their_way: Counter[int] = Counter()
        self._idle = asyncio.Event()
        self._idle.set()
        self._turn = 0
        self.partitions = tuple(sorted(partitions))
        self.failure: str | None = None

    @classmethod
    async def open(
        cls,
        client_options: Mapping[str, Any],
        topic: str,
        partitions: Collection[int],
        *,
        request_timeout: float,
        batch_bytes: int,
    ) -> Self:
        """Start a producer. Raises aiokafka's errors."""
        producer = AIOKafkaProducer(
            **client_options,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=int(request_timeout * 1000),
            max_batch_size=batch_bytes,
        )
        try:
            await clients.start(producer.start())
            await producer.partitions_for(topic)
        except BaseException:
            await producer.stop()  # its connections; nothing was sent
            raise
        return cls(producer, topic, partitions)

    @property
    def lanes(self) -> int:
        """How many record batches can be on their way: one to a partition, beside hanging ones."""
        # A partition that has lost its leader holds on to its record batch, not to another's lane.
        lost = self._on_their_way.keys() - self.partitions
        return len(self.partitions) + sum(self._on_their_way[each] for each in lost)

    def create_batch(self) -> BatchBuilder:
        """Return an empty record batch."""
        return self._producer.create_batch()

    async def send(self, batch: BatchBuilder) -> None:
        """Send `batch` to the partition with the least to do; return once it is acknowledged.

        Raises `BrokerUnavailable` without having tried, `NotAcknowledged` otherwise.
        """
        partition = self._choose_partition()
        self._on_their_way[partition] += 1
        self._idle.clear()
        try:
            await (await self._producer.send_batch(batch, self._topic, partition=partition))
        except KafkaError as error:
            self.failure = self.failure or repr(error)
            text = "Kafka did not take the event; send it again with the same event_id"
            raise NotAcknowledged(text) from error
        finally:
            self._on_their_way[partition] -= 1
            if not self._on_their_way.total():
                self._idle.set()

    def _choose_partition(self) -> int:
        if not self.partitions:
            raise BrokerUnavailable("no partition of the topic takes records; send it again later")
        self._turn += 1
        count = len(self.partitions)
        turns = (self.partitions[(self._turn + step) % count] for step in range(count))
        return min(turns, key=self._on_their_way.__getitem__)  # the first of the least busy

    async def close(self, *, grace: float) -> None:
        """Give the record batches on their way `grace` seconds, fail the rest, and end.

        Do not cancel it, which would leave sockets open; `hurry` ends the grace.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._idle.wait()
        # Not the producer's `stop()`: that waits until all is acknowledged, however long it takes.
        producer = self._producer
        producer._closed = True  # noqa: SLF001  # there is no public way to give up
        await clients.end(producer._sender.close())  # noqa: SLF001
        accumulator = producer._message_accumulator  # noqa: SLF001
        queued = [each for queue in accumulator._batches.values() for each in queue]  # noqa: SLF001
        accumulator._pending_batches.update(queued)  # noqa: SLF001  # where it takes them from, done
        accumulator.fail_all(KafkaError("given up"))
        for batch in queued:
            batch._drain_waiter.exception()  # noqa: SLF001  # else asyncio complains of it
        await clients.end(producer.client.close())

    def hurry(self) -> None:
        """Let a `close` under way wait no longer for record batches."""
        self._idle.set()
