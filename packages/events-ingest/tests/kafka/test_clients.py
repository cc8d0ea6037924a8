"""What starts aiokafka's clients, cancelled at any moment."""

from __future__ import annotations

import asyncio
import gc
import uuid
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from events_ingest import Topic
from events_ingest.kafka.cluster import Cluster
from events_ingest.kafka.connection import Connection
from events_loadgen.processes.broker import LocalBroker

_STEP_SECONDS = 0.0002


async def open_connection(options: dict[str, Any], topic: Topic) -> None:
    """What a producer does when Kafka is back."""
    connection = await Connection.open(
        options, topic.name, (0,), request_timeout=30, batch_bytes=100_000
    )
    await connection.close(grace=0)


async def check_cluster(options: dict[str, Any], topic: Topic) -> None:
    """What the watch on Kafka does first."""
    cluster = Cluster(options, topic)
    await cluster.check()
    await cluster.close()


@pytest.mark.parametrize("start", [open_connection, check_cluster])
def test_a_start_cancelled_leaves_no_connection(
    broker: LocalBroker, start: Callable[[dict[str, Any], Topic], Coroutine[Any, Any, None]]
) -> None:
    """A collector that ends while it reaches for Kafka, wherever it is with that."""
    options = {"bootstrap_servers": broker.bootstrap}
    topic = Topic(f"topic-{uuid.uuid4()}", partitions=1, replication=1, min_insync_replicas=1)

    async def live() -> int:
        await check_cluster(options, topic)  # makes the topic
        cancelled = 0
        while True:
            starting = asyncio.create_task(start(options, topic))
            await asyncio.sleep(cancelled * _STEP_SECONDS)
            starting.cancel()
            await asyncio.wait([starting])
            if not starting.cancelled():
                starting.result()
                return cancelled
            cancelled += 1

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert asyncio.run(live()) > 1
        gc.collect()
    assert not [each.message for each in caught]
