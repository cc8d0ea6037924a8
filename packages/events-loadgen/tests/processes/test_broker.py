"""Tests of the local broker. They have their own broker, because they stop and kill it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

from events_loadgen.errors import ChildFailed, TooLate
from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.ports import answers, free_port

pytestmark = pytest.mark.extended

TOPIC = "kept"


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """A broker that tests may kill."""
    with LocalBroker(tmp_path_factory.mktemp("own-kafka")) as local_broker:
        yield local_broker


async def create_topic(bootstrap: str, topic: str = TOPIC, *, node: int = 1) -> None:
    """Create a topic with one partition on the given node."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, -1, -1, replica_assignments={0: [node]})])
    finally:
        await admin.close()


async def write(bootstrap: str, value: bytes, topic: str = TOPIC) -> None:
    """Write one record and wait for its acknowledgement."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value, partition=0)


async def read(bootstrap: str, count: int, topic: str = TOPIC) -> list[bytes]:
    """Read the first `count` records of the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(count)]


def test_a_broker_keeps_its_records_and_its_port(own_broker: LocalBroker) -> None:
    """After a stop and after a kill, it serves its acknowledged records on the same port."""
    bootstrap = own_broker.bootstrap
    asyncio.run(create_topic(bootstrap))
    asyncio.run(write(bootstrap, b"before a stop"))
    own_broker.stop()
    assert not answers(own_broker.port)
    own_broker.start()
    assert own_broker.bootstrap == bootstrap
    asyncio.run(write(bootstrap, b"before a kill"))
    own_broker.kill()
    assert not answers(own_broker.port)
    own_broker.start()
    assert asyncio.run(read(bootstrap, 2)) == [b"before a stop", b"before a kill"]


def test_a_second_node_joins_the_cluster(own_broker: LocalBroker, tmp_path: Path) -> None:
    """Clients of the first node reach topics of the second, which has its own listeners."""
    port = free_port()
    protocols = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT"
    with LocalBroker(
        tmp_path / "second",
        joins=own_broker,
        listeners={"OTHER": port},
        properties={"listener.security.protocol.map": protocols},
    ) as second:
        assert second.cluster == own_broker.cluster
        asyncio.run(create_topic(own_broker.bootstrap, "shared", node=second.node_id))
        asyncio.run(write(own_broker.bootstrap, b"by the first", "shared"))
        second.kill()
        second.start()
        # The first node does not have this listener, so these clients only see the second.
        assert asyncio.run(read(f"127.0.0.1:{port}", 1, "shared")) == [b"by the first"]


def test_a_broker_that_cannot_start_says_why(own_broker: LocalBroker, tmp_path: Path) -> None:
    """The error contains the broker's last log lines, and no process is left."""
    second = LocalBroker(tmp_path / "second", own_broker.port)
    try:
        with pytest.raises(ChildFailed, match="Address already in use"):
            second.start()
    finally:
        second.stop()


def test_a_broker_that_does_not_answer_in_time_is_an_error(own_broker: LocalBroker) -> None:
    """Waiting for the broker times out."""
    own_broker.kill()
    own_broker.launch()
    try:
        with pytest.raises(TooLate, match="timed out after 0 s waiting for Kafka to answer"):
            own_broker.wait_until_ready(seconds=0)
    finally:
        own_broker.start()
