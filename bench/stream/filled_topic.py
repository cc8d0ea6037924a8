"""Writes topics of generated events, as fast as possible or at a steady rate."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from events_loadgen.load.classic import ACTIONS, CATEGORIES, PRODUCTS, VALUES
from events_schema import Contract, Event

PARTITIONS = 2
USERS = 100_000
BATCH_BYTES = 1_000_000
"""A little less than a broker's default limit."""
TICK_SECONDS = 0.1
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

Record = tuple[int, bytes]
"""A timestamp in milliseconds, and a value."""


def _no_copies(number: int) -> int:
    return number


@dataclass(frozen=True)
class Events:
    """Repeatable events by number: the n-th is received n / `rate` seconds after `first`.

    `original` returns the number of the event that the n-th is a copy of, or n itself.
    """

    rate: float
    first: datetime = NOON
    original: Callable[[int], int] = _no_copies

    def records(self, numbers: Iterable[int]) -> Iterator[Record]:
        """Yield the records of the events with these numbers, as the collector writes them."""
        encode = Contract(Event).encoder
        for number in numbers:
            yield int(self._time(number).timestamp() * 1000), encode(self.envelope(number))

    def envelope(self, number: int) -> dict[str, object]:
        """Return the event with this number, with its time of receipt."""
        return {**self._event(self.original(number)), "received_time": self._time(number)}

    def due(self) -> int:
        """Return how many events are due by now."""
        return int((datetime.now(UTC) - self.first).total_seconds() * self.rate)

    def _time(self, number: int) -> datetime:
        return self.first + timedelta(seconds=number / self.rate)

    def _event(self, number: int) -> dict[str, object]:
        # Bits of a hash: repeatable, and as hard to compress as random bits.
        bits = blake2b(number.to_bytes(8, "big"), digest_size=16).digest()
        text = bits.hex()
        return {
            "event_id": f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}",
            "event_time": self._time(number) - timedelta(milliseconds=bits[0] * 16),
            "user_id": int.from_bytes(bits[:4], "big") % USERS,
            "app_name": PRODUCTS[bits[4] % len(PRODUCTS)],
            "event_action": ACTIONS[bits[5] % len(ACTIONS)],
            "event_category": CATEGORIES[bits[6] % len(CATEGORIES)],
            "event_value": VALUES[bits[7] % len(VALUES)],
        }


@dataclass
class Produced:
    """How many events are on the topic."""

    count: int


def fill(
    brokers: str, topic: str, events: Events, count: int, partitions: int = PARTITIONS
) -> None:
    """Create `topic` and write the first `count` of `events` to its partitions in turn."""
    asyncio.run(_fill(brokers, topic, events.records(range(count)), partitions))


async def _fill(brokers: str, topic: str, records: Iterable[Record], partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()
    async with _producer(brokers) as producer:
        await _write(producer, topic, records, partitions)


@contextmanager
def producing(brokers: str, topic: str, events: Events, start: int) -> Iterator[Produced]:
    """Write `events` from number `start` on when they are due, until the block ends."""
    over, produced = threading.Event(), Produced(start)
    with ThreadPoolExecutor(1) as thread:
        written = thread.submit(asyncio.run, _produce(brokers, topic, events, produced, over))
        try:
            yield produced
        finally:
            over.set()
        written.result()


async def _produce(
    brokers: str, topic: str, events: Events, produced: Produced, over: threading.Event
) -> None:
    async with _producer(brokers) as producer:
        while not over.is_set():
            due = events.due()
            await _write(producer, topic, events.records(range(produced.count, due)), PARTITIONS)
            produced.count = max(produced.count, due)
            await asyncio.sleep(TICK_SECONDS)


def _producer(brokers: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=brokers, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
    )


async def _write(
    producer: AIOKafkaProducer, topic: str, records: Iterable[Record], partitions: int
) -> None:
    """Write `records` in full record batches; return once Kafka has acknowledged them."""
    batches = [producer.create_batch() for _ in range(partitions)]
    sent = []
    for number, (timestamp, value) in enumerate(records):
        partition = number % partitions
        if batches[partition].append(timestamp=timestamp, key=None, value=value) is None:
            sent.append(await producer.send_batch(batches[partition], topic, partition=partition))
            batches[partition] = producer.create_batch()
            batches[partition].append(timestamp=timestamp, key=None, value=value)
    for partition, batch in enumerate(batches):
        if batch.record_count():
            sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)
