"""The collector from outside, with real HTTP, a real broker and a real process."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from events_ingest import CollectorServer, ServeSettings
from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.ports import free_port
from events_loadgen.processes.waiting import wait_until
from ingest_support.contracts import CONTRACT
from line_support.topics import Topics

pytestmark = pytest.mark.extended

VALID = {"user_id": 1, "app_name": "shop", "event_category": "product"}
PARTITIONS = 4


def new_topic() -> str:
    """The name of a topic that does not exist yet."""
    return f"topic-{uuid.uuid4()}"


@contextmanager
def collector(broker: LocalBroker, topic: str, **changes: Any) -> Iterator[httpx.Client]:
    """A client of a collector in this process."""
    given = {"brokers": broker.bootstrap, "topic": topic, "allow_anonymous": True, "port": 0}
    server = CollectorServer(ServeSettings(**{**given, **changes}))
    with server.in_thread() as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def ready(client: httpx.Client) -> bool:
    """Whether the collector is ready."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.ConnectError:
        return False


def event_ids(broker: LocalBroker, topic: str) -> list[str]:
    """The ids of all events on `topic`."""

    async def read() -> list[str]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
            found: list[str] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += [CONTRACT.decode(record.value).event_id for record in records]
            return found
        finally:
            await consumer.stop()

    return asyncio.run(asyncio.wait_for(read(), 60))


@pytest.mark.core
def test_an_acknowledged_event_is_on_the_topic(broker: LocalBroker) -> None:
    """After a 200 the broker has the record; events are spread over the partitions."""
    topic = new_topic()
    with collector(broker, topic) as client:
        wait_until(lambda: ready(client), "a ready collector", seconds=60)
        posted = [client.post("/track", json=VALID).json()["event_id"] for _ in range(3)]
        assert sorted(event_ids(broker, topic)) == sorted(posted)


def test_it_recovers_from_a_long_absence(broker: LocalBroker) -> None:
    """After an outage longer than its timeouts it accepts events again, and has lost none."""
    topic = new_topic()
    acknowledged: list[str] = []
    with collector(broker, topic, ack_timeout=0.5) as client, ThreadPoolExecutor(8) as threads:
        wait_until(lambda: ready(client), "a ready collector", seconds=60)

        over = threading.Event()

        def post() -> None:
            response = client.post("/track", json=VALID)
            assert response.status_code in (200, 503), response.text
            if response.status_code == 200:
                acknowledged.append(response.json()["event_id"])
            elif response.json()["error"]["code"] == "not_acknowledged":
                assert response.json()["event_id"]

        def load() -> None:
            while not over.is_set():
                post()

        loads = [threads.submit(load) for _ in range(8)]
        try:
            wait_until(lambda: len(acknowledged) > 100, "load", seconds=60)
            broker.kill()
            wait_until(lambda: not ready(client), "503", seconds=60)
            killed = time.monotonic()
            wait_until(lambda: time.monotonic() > killed + 6, "a long absence", seconds=60)
            assert client.get("/livez").status_code == 200
            refused = client.post("/track", json=VALID)
            assert refused.json()["error"]["code"] == "broker_unavailable"
            assert "Retry-After" in refused.headers
            before = len(acknowledged)
            broker.start()
            wait_until(lambda: len(acknowledged) > before + 100, "load", seconds=60)
        except BaseException:
            broker.start()  # for the other tests
            raise
        finally:
            over.set()
        for each in loads:
            each.result()
    assert set(acknowledged) <= set(event_ids(broker, topic))


@contextmanager
def process(broker: LocalBroker, topic: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """A collector as a separate process."""
    # fmt: off
    command = [
        sys.executable, "-m", "events_ingest", "serve", "--brokers", broker.bootstrap,
        "--topic", topic, "--port", str(port), "--token", "secret-key", "--access-log", "0",
    ]
    # fmt: on
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def stop_under_load(broker: LocalBroker, number: signal.Signals) -> None:
    """Stop a busy collector with a signal, and check what it stored."""
    topic, port = new_topic(), free_port()
    acknowledged: list[str] = []

    def load(client: httpx.Client) -> None:
        while True:
            try:
                response = client.post("/track", json=VALID)
            except httpx.TransportError:
                return
            assert response.status_code == 200, response.text
            acknowledged.append(response.json()["event_id"])

    with process(broker, topic, port) as child, ThreadPoolExecutor(8) as threads:
        headers = {"X-Token": "secret-key"}
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            wait_until(lambda: ready(client), "a ready collector", seconds=60)
            loads = [threads.submit(load, client) for _ in range(8)]
            wait_until(lambda: len(acknowledged) > 200, "load", seconds=60)
            child.send_signal(number)
            child.send_signal(number)
            _, log = child.communicate(timeout=60)
            for each in loads:
                each.result()
    assert child.returncode == 0, log
    lines = [json.loads(line) for line in log.splitlines()]
    assert [each["event"] for each in lines] == [
        "listening",
        "topic created",
        "broker reachable",
        "stopped",
    ]
    assert "secret-key" not in log
    assert set(acknowledged) <= set(event_ids(broker, topic))


def test_sigterm_finishes_what_is_in_flight(broker: LocalBroker) -> None:
    """On SIGTERM it answers requests in flight and exits with 0; no acknowledged event is lost."""
    stop_under_load(broker, signal.SIGTERM)


def test_ctrl_c_finishes_what_is_in_flight(broker: LocalBroker) -> None:
    """On Ctrl-C, even more than once, it does the same."""
    stop_under_load(broker, signal.SIGINT)


def test_an_added_partition_gets_events_and_costs_none(broker: LocalBroker) -> None:
    """No request fails because the producer has not heard of the partition yet."""
    topics = Topics(broker.bootstrap)
    topic = topics.create(partitions=1)
    with collector(broker, topic) as client:
        assert client.post("/track", json=VALID).status_code == 200
        topics.add_partitions(topic, 2)

        def reaches_both() -> bool:
            assert client.post("/track", json=VALID).status_code == 200
            return 0 not in topics.ends(topic).values()

        wait_until(reaches_both, "events in both partitions", seconds=60)
