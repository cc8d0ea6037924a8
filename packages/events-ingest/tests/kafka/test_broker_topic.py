"""The topic, on a real broker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from structlog.testing import capture_logs

from events_ingest import ServeSettings
from events_ingest.budget import Budget
from events_ingest.kafka.cluster import Cluster
from events_ingest.kafka.topic import Topic
from events_ingest.server.app import kafka_producer
from events_ingest.telemetry.metrics import EventMetrics
from events_loadgen.processes.broker import LocalBroker
from events_schema import Contract
from ingest_support.contracts import CONTRACT, SHOP


def new_topic() -> Topic:
    """A topic that does not exist yet."""
    return Topic(f"topic-{uuid.uuid4()}", partitions=3, replication=1, min_insync_replicas=1)


async def check(broker: LocalBroker, topic: Topic) -> None:
    """Let a collector check `topic` as it does when it starts."""
    cluster = Cluster({"bootstrap_servers": broker.bootstrap}, topic)
    try:
        await cluster.check()
    finally:
        await cluster.close()


def ask(broker: LocalBroker, question: Callable[[AIOKafkaAdminClient], Awaitable[Any]]) -> Any:
    """The broker's answer to `question`."""

    async def answer() -> Any:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        try:
            return await question(admin)
        finally:
            await admin.close()

    return asyncio.run(answer())


def test_a_missing_topic_is_created_as_set(broker: LocalBroker) -> None:
    """A missing topic gets the configured partitions, replication and min.insync.replicas."""
    topic = new_topic()
    resource = ConfigResource(
        ConfigResourceType.TOPIC, topic.name, configs={"min.insync.replicas": None}
    )

    asyncio.run(check(broker, topic))

    (described,) = ask(broker, lambda admin: admin.describe_topics([topic.name]))
    assert len(described["partitions"]) == topic.partitions
    assert {len(each["replicas"]) for each in described["partitions"]} == {topic.replication}
    (config,) = ask(broker, lambda admin: admin.describe_configs([resource]))
    assert config.resources[0][4][0][:2] == ("min.insync.replicas", "1")


def test_an_existing_topic_is_left_alone(broker: LocalBroker) -> None:
    """An existing topic keeps its partitions, and causes no warning if it is safe."""
    topic = new_topic()
    with capture_logs() as logs:
        asyncio.run(check(broker, topic))
        asyncio.run(check(broker, replace(topic, partitions=8)))

    (described,) = ask(broker, lambda admin: admin.describe_topics([topic.name]))
    assert len(described["partitions"]) == topic.partitions
    assert [each["event"] for each in logs] == ["topic created"]


def test_a_topic_of_fewer_replicas_is_warned_about(broker: LocalBroker) -> None:
    """An existing topic with fewer replicas than configured is used, with a warning."""
    topic = new_topic()
    asyncio.run(check(broker, topic))

    with capture_logs() as logs:
        asyncio.run(check(broker, replace(topic, replication=3)))

    (warning,) = logs
    assert (warning["log_level"], warning["replication"], warning["expected"]) == ("warning", 1, 3)


@pytest.mark.parametrize(("contract", "ready"), [(CONTRACT, True), (SHOP, False)])
def test_a_topic_must_take_the_longest_record_of_the_contract(
    broker: LocalBroker, contract: Contract[Any], *, ready: bool
) -> None:
    """A topic whose limit is too low for the contract's records is not used, and is named."""
    topic = NewTopic(f"topic-{uuid.uuid4()}", 1, 1, topic_configs={"max.message.bytes": "4096"})
    ask(broker, lambda admin: admin.create_topics([topic]))
    settings = ServeSettings(brokers=broker.bootstrap, topic=topic.name)
    producer = kafka_producer(settings, contract, Budget(10_000), EventMetrics())

    async def look() -> bool:
        await producer.start()
        try:
            return producer.ready
        finally:
            await producer.stop()

    with capture_logs() as logs:
        assert asyncio.run(look()) is ready
    said = str([each for each in logs if each["event"] == "broker unreachable"])
    assert (f"one event may need {contract.max_record_bytes + 128}" in said) is not ready
