"""Topics for tests, created, written and read from synchronous code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType


@dataclass(frozen=True)
class Topics:
    """Fresh topics on a broker, written and read from synchronous tests."""

    bootstrap: str

    def create(self, partitions: int = 2, name: str | None = None) -> str:
        """Create a topic, by default with a unique name; return its name."""
        topic = name or f"events-{uuid4()}"
        asyncio.run(self._administer("create_topics", [NewTopic(topic, partitions, 1)]))
        return topic

    def delete(self, topic: str) -> None:
        """Delete `topic`."""
        asyncio.run(self._administer("delete_topics", [topic]))

    def names(self) -> set[str]:
        """Return the names of all topics."""
        return asyncio.run(self._names())

    def add_partitions(self, topic: str, total: int) -> None:
        """Increase the number of partitions of `topic` to `total`."""
        asyncio.run(self._administer("create_partitions", {topic: NewPartitions(total)}))

    def configure(self, topic: str, settings: Mapping[str, str]) -> None:
        """Change settings of `topic`."""
        wanted = [ConfigResource(ConfigResourceType.TOPIC, topic, dict(settings))]
        asyncio.run(self._administer("alter_configs", wanted))

    def add_partition_on(self, topic: str, broker: int) -> None:
        """Add a second partition to `topic`, which has one, led by this broker."""
        wanted = {topic: NewPartitions(2, [[broker]])}
        asyncio.run(self._administer("create_partitions", wanted))

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete the records before an offset, as retention does."""
        wanted = {TopicPartition(topic, partition): RecordsToDelete(before)}
        asyncio.run(self._administer("delete_records", wanted))

    def produce(
        self, topic: str, values: Iterable[bytes | None], partition: int | None = None
    ) -> None:
        """Write records with a key and a header; return once the broker has them all."""
        asyncio.run(self._produce(topic, list(values), partition))

    def values(self, topic: str) -> list[bytes | None]:
        """Return the values of all records in `topic`."""
        return asyncio.run(self._values(topic))

    def ends(self, topic: str) -> dict[int, int]:
        """Return the offset of the next record of each partition of `topic`."""
        return asyncio.run(self._ends(topic))

    async def _names(self) -> set[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            return set(await admin.list_topics())
        finally:
            await admin.close()

    async def _administer(self, action: str, argument: object) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await getattr(admin, action)(argument)
        finally:
            await admin.close()

    async def _produce(self, topic: str, values: list[bytes | None], partition: int | None) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True
        ) as producer:
            sent = [
                await producer.send(
                    topic, value, key=b"key", headers=[("name", b"text")], partition=partition
                )
                for value in values
            ]
            await asyncio.gather(*sent)

    async def _values(self, topic: str) -> list[bytes | None]:
        partitions = [TopicPartition(topic, number) for number in await self._partitions(topic)]
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as consumer:
            consumer.assign(partitions)  # a subscription may have no partition yet
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            values: list[bytes | None] = []
            while await _behind(consumer, ends):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    values.extend(record.value for record in records)
            return values

    async def _ends(self, topic: str) -> dict[int, int]:
        partitions = [TopicPartition(topic, number) for number in await self._partitions(topic)]
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as consumer:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
        return {each.partition: end for each, end in ends.items()}

    async def _partitions(self, topic: str) -> list[int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            (described,) = await admin.describe_topics([topic])
            return [each["partition"] for each in described["partitions"]]
        finally:
            await admin.close()


async def _behind(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    positions = [await consumer.position(partition) for partition in ends]
    return any(position < end for position, end in zip(positions, ends.values(), strict=True))
