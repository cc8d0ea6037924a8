from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from events_ingest import BrokerUnavailable, KafkaProducer, Topic
from events_ingest.budget import Budget
from events_ingest.metrics import EventMetrics
from events_loadgen.ports import free_port


def test_an_unreachable_broker_is_known_and_told_once() -> None:
    """Without a broker it starts and stops, fails records at once, and logs one line."""

    async def live() -> None:
        topic = Topic(name="events", partitions=1, replication=1, min_insync_replicas=1)
        budget = Budget(10_000)
        producer = KafkaProducer(
            {"bootstrap_servers": f"127.0.0.1:{free_port()}"},
            topic,
            budget,
            EventMetrics(),
            ack_timeout=30,
            batch_bytes=100_000,
            linger=0.002,
        )
        await producer.start()
        try:
            assert logs  # it has looked
            assert not producer.ready
            with pytest.raises(BrokerUnavailable):
                producer.produce([b""])
            assert budget.used == 0
        finally:
            await producer.stop()

    with capture_logs() as logs:
        asyncio.run(live())
    assert [each["event"] for each in logs] == ["broker unreachable"]
