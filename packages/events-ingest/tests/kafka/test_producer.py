from __future__ import annotations

import asyncio
import socket

import pytest
from structlog.testing import capture_logs

from events_ingest import BrokerUnavailable, KafkaProducer, Topic
from events_ingest.budget import Budget
from events_ingest.telemetry.metrics import EventMetrics
from events_loadgen.processes.ports import free_port


def producer_to(port: int, budget: Budget) -> KafkaProducer:
    """A producer for an address without a broker."""
    return KafkaProducer(
        {"bootstrap_servers": f"127.0.0.1:{port}"},
        Topic(name="events", partitions=1, replication=1, min_insync_replicas=1),
        budget,
        EventMetrics(),
        ack_timeout=30,
        batch_bytes=100_000,
        max_record_bytes=10_000,
        linger=0.002,
    )


def test_an_unreachable_broker_is_known_and_told_once() -> None:
    """Without a broker it starts and stops, fails records at once, and logs one line."""

    async def live() -> None:
        budget = Budget(10_000)
        producer = producer_to(free_port(), budget)
        await producer.start()
        try:
            assert logs  # it has checked
            assert not producer.ready
            with pytest.raises(BrokerUnavailable):
                producer.produce([b""])
            assert budget.used == 0
        finally:
            await producer.stop()

    with capture_logs() as logs:
        asyncio.run(live())
    assert [each["event"] for each in logs] == ["broker unreachable"]


def test_a_broker_that_does_not_answer_delays_the_start_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It starts even if its first check has not ended, and accepts no record."""
    monkeypatch.setattr("events_ingest.kafka.producer._FIRST_LOOK_SECONDS", 0.1)

    async def live(port: int) -> None:
        producer = producer_to(port, Budget(10_000))
        await producer.start()
        try:
            assert not logs  # it is still checking
            assert not producer.ready
        finally:
            await producer.stop()

    with capture_logs() as logs, socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(live(silent.getsockname()[1]))
