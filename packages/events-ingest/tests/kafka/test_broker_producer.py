"""The producer with a real broker that stops and starts.

Always start the broker in the test's own thread: it dies with the thread that started it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition

from events_ingest import BrokerUnavailable, BufferFull, KafkaProducer, NotAcknowledged, Topic
from events_ingest.budget import Budget
from events_ingest.kafka.connection import Connection
from events_ingest.kafka.group_commit import RECORD_OVERHEAD
from events_ingest.telemetry.metrics import EventMetrics
from events_loadgen.processes.broker import LocalBroker

pytestmark = pytest.mark.extended


class MeasuredProducer(KafkaProducer):
    """A producer whose state a test can see."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.budget: Budget = args[2]

    async def send(self, *values: bytes) -> None:
        """Return once all `values` are acknowledged."""
        await asyncio.gather(*map(asyncio.shield, self.produce(values)))


@asynccontextmanager
async def running(
    broker: LocalBroker,
    *,
    ack_timeout: float = 30,
    max_in_flight_bytes: int = 1_000_000,
    partitions: int = 2,
) -> AsyncIterator[MeasuredProducer]:
    """A producer for a new topic, started and ready."""
    name = f"topic-{uuid.uuid4()}"
    topic = Topic(name, partitions=partitions, replication=1, min_insync_replicas=1)
    producer = MeasuredProducer(
        {"bootstrap_servers": broker.bootstrap},
        topic,
        Budget(max_in_flight_bytes),
        EventMetrics(),
        ack_timeout=ack_timeout,
        batch_bytes=100_000,
        max_record_bytes=10_000,
        linger=0.002,
    )
    await producer.start()
    try:
        assert producer.ready  # it has checked
        yield producer
    finally:
        await producer.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Return once `condition()` holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # a broker sets no event
            await asyncio.sleep(0.01)


def lose_a_sequence_number(producer: MeasuredProducer) -> Connection:
    """Make the broker refuse further batches; return the connection whose batches it refuses.

    aiokafka causes the same when it gives up a batch: its sequence numbers are never sent.
    """
    connection = producer._connection
    assert connection is not None
    sequence = connection._producer._txn_manager
    sequence.increment_sequence_number(TopicPartition(producer._topic.name, 0), 1)
    return connection


@contextmanager
def restored_on_error(broker: LocalBroker) -> Iterator[None]:
    """Leave a running broker for the other tests, even if this one fails."""
    try:
        yield
    except BaseException:
        broker.start()
        raise


def test_a_full_buffer_refuses_records(broker: LocalBroker) -> None:
    """Records that would exceed the bytes in flight are refused; smaller ones are acknowledged."""
    value = b"x" * 600

    async def live() -> None:
        async with running(broker, max_in_flight_bytes=2 * (600 + RECORD_OVERHEAD)) as producer:
            outcomes = await asyncio.gather(
                *[producer.send(value) for _ in range(4)], return_exceptions=True
            )
            assert [type(each) for each in outcomes] == [type(None)] * 2 + [BufferFull] * 2
            assert producer.budget.used == 0
            await producer.send(value)

    asyncio.run(live())


def test_bytes_in_flight_count_until_the_record_is_resolved(broker: LocalBroker) -> None:
    """A failed record still counts until Kafka is back and the record is resolved."""

    async def live() -> None:
        async with running(broker, ack_timeout=0.5) as producer:
            broker.kill()  # no task has run since: the producer does not know yet
            with pytest.raises(NotAcknowledged):
                await producer.send(b"x")
            assert producer.budget.used == 1 + RECORD_OVERHEAD
            await until(lambda: not producer.ready)
            with pytest.raises(BrokerUnavailable):
                await producer.send(b"y")
            broker.start()
            await until(lambda: producer.ready)
            await until(lambda: producer.budget.used == 0)
            await producer.send(b"z")

    with restored_on_error(broker):
        asyncio.run(live())


def test_a_short_absence_is_ridden_out(broker: LocalBroker) -> None:
    """A record in flight when Kafka fails is acknowledged if Kafka comes back in time."""

    async def live() -> None:
        async with running(broker, ack_timeout=120) as producer:
            broker.kill()
            produced = asyncio.create_task(producer.send(b"x"))
            await until(lambda: not producer.ready)
            broker.start()
            await produced

    with restored_on_error(broker):
        asyncio.run(live())


def test_a_gap_in_the_sequence_is_healed(broker: LocalBroker) -> None:
    """A producer whose records the broker refuses is replaced by a new one."""

    async def live() -> None:
        async with running(broker, partitions=1) as producer:
            await producer.send(b"x")
            connection = lose_a_sequence_number(producer)
            with pytest.raises(NotAcknowledged):
                await producer.send(b"y")
            await until(lambda: producer._connection is not connection)
            await producer.send(b"z")

    asyncio.run(live())


def test_a_producer_let_go_of_can_be_hurried(broker: LocalBroker) -> None:
    """A replaced producer has time to finish what it has in flight, unless the collector stops."""

    async def live() -> None:
        async with asyncio.timeout(60), running(broker, ack_timeout=600) as producer:
            stale = producer._connection
            assert stale is not None
            broker.kill()
            produced = asyncio.create_task(producer.send(b"x"))
            await until(lambda: not producer.ready)
            closing = asyncio.create_task(stale.close(grace=600))
            producer._retiring[closing] = stale
            producer._connection = None
            await producer.stop()
            assert closing.done()
            with pytest.raises(NotAcknowledged):
                await produced

    try:
        asyncio.run(live())
    finally:
        broker.start()


def test_stopping_without_kafka_does_not_wait_for_it(
    broker: LocalBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """With records in flight and Kafka down, the producer stops and fails them, without a log."""

    async def live() -> None:
        async with asyncio.timeout(60), running(broker, ack_timeout=600) as producer:
            broker.kill()
            produced = asyncio.create_task(producer.send(b"x"))
            await until(lambda: not producer.ready)
            await producer.stop()
            with pytest.raises(NotAcknowledged):
                await produced
            assert producer.budget.used == 0

    try:
        asyncio.run(live())
    finally:
        broker.start()
    assert not [each for each in caplog.records if each.name == "asyncio"]  # tracebacks
