"""One aiokafka producer, from start to end."""

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
    """A `RecordSink`: an idempotent producer with one producer id from Kafka.

    After a failure it is replaced, not repaired: a failed record batch leaves a gap in the
    sequence numbers, and its partition then refuses further batches. `failure` is the reason to
    replace it, if any. `partitions` are those that can take records now; the watch on Kafka keeps
    them up to date.
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
            await producer.stop()  # closes its connections; nothing was sent
            raise
        return cls(producer, topic, partitions)

    async def use(self, partitions: Collection[int]) -> None:
        """Send to `partitions` from now on.

        A producer learns of a new partition within minutes. Until then it refuses it, so it is
        made to ask.
        """
        if not self._known.issuperset(partitions):
            await self._producer.client.force_metadata_update()
        self.partitions = tuple(sorted(self._known.intersection(partitions)))

    @property
    def _known(self) -> set[int]:
        return set(self._producer.client.cluster.partitions_for_topic(self._topic) or ())

    @property
    def lanes(self) -> int:
        """How many record batches can be in flight: one per partition, besides stuck ones."""
        # A partition without a leader keeps its record batch, but must not use another's lane.
        lost = self._on_their_way.keys() - self.partitions
        return len(self.partitions) + sum(self._on_their_way[each] for each in lost)

    def create_batch(self) -> BatchBuilder:
        """Return an empty record batch."""
        return self._producer.create_batch()

    async def send(self, batch: BatchBuilder) -> None:
        """Send `batch` to the least busy partition, and return once it is acknowledged.

        Raises `BrokerUnavailable` if it was not sent, and `NotAcknowledged` if it was.
        """
        partition = self._choose_partition()
        self._on_their_way[partition] += 1
        self._idle.clear()
        try:
            await (await self._producer.send_batch(batch, self._topic, partition=partition))
        except KafkaError as error:
            self.failure = self.failure or repr(error)
            text = "Kafka did not acknowledge the event; send it again with the same event_id"
            raise NotAcknowledged(text) from error
        finally:
            self._on_their_way[partition] -= 1
            if not self._on_their_way.total():
                self._idle.set()

    def _choose_partition(self) -> int:
        if not self.partitions:
            raise BrokerUnavailable(
                "no partition of the topic can take records; send it again later"
            )
        self._turn += 1
        count = len(self.partitions)
        turns = (self.partitions[(self._turn + step) % count] for step in range(count))
        return min(turns, key=self._on_their_way.__getitem__)  # the first of the least busy

    async def close(self, *, grace: float) -> None:
        """Wait `grace` seconds for record batches in flight, fail the rest, and close.

        Do not cancel it, since sockets would stay open; call `hurry` to end the wait.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._idle.wait()
        # Not the producer's `stop()`, which waits for all acknowledgements without a limit.
        producer = self._producer
        producer._closed = True  # noqa: SLF001  # aiokafka has no public way to give up
        await clients.end(producer._sender.close())  # noqa: SLF001
        accumulator = producer._message_accumulator  # noqa: SLF001
        queued = [each for queue in accumulator._batches.values() for each in queue]  # noqa: SLF001
        accumulator._pending_batches.update(queued)  # noqa: SLF001  # which `fail_all` goes through
        accumulator.fail_all(KafkaError("given up"))
        for batch in queued:
            batch._drain_waiter.exception()  # noqa: SLF001  # so that asyncio does not log it
        await clients.end(producer.client.close())

    def hurry(self) -> None:
        """End the wait of a `close` that is in progress."""
        self._idle.set()
