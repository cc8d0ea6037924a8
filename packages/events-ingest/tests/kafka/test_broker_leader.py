"""The collector on a cluster of two nodes, one of which fails."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from events_ingest import CollectorServer, ServeSettings
from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.waiting import wait_until
from ingest_support.contracts import CONTRACT

pytestmark = pytest.mark.extended

VALID = {"user_id": 1, "app_name": "shop", "event_category": "product"}
CLIENTS = 32


@dataclass(frozen=True)
class Nodes:
    """Two nodes of one cluster; the first is its controller."""

    first: LocalBroker
    second: LocalBroker

    @property
    def bootstrap(self) -> str:
        """The bootstrap address for clients."""
        return f"{self.first.bootstrap},{self.second.bootstrap}"

    @contextmanager
    def second_away(self) -> Iterator[None]:
        """Crash the second node, and bring it back at the end."""
        self.second.kill()
        try:
            yield
        finally:
            self.second.start()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A cluster for this module."""
    folder = tmp_path_factory.mktemp("nodes")
    with (
        LocalBroker(folder / "first") as first,
        LocalBroker(folder / "second", joins=first) as second,
    ):
        yield Nodes(first, second)


def create_topic(nodes: Nodes, replicas: Mapping[int, Sequence[int]], *, min_insync: int) -> str:
    """Create a topic whose partitions are on the nodes in `replicas`; return its name."""
    topic = f"topic-{uuid.uuid4()}"
    configs = {"min.insync.replicas": str(min_insync)}
    new = NewTopic(topic, -1, -1, replica_assignments=replicas, topic_configs=configs)

    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=nodes.first.bootstrap)
        await admin.start()
        try:
            response = await admin.create_topics([new])
        finally:
            await admin.close()
        assert response.topic_errors[0][1] == 0, response

    asyncio.run(create())
    return topic


def read(nodes: Nodes, topic: str, *partitions: int) -> list[str]:
    """The ids of all events that are now in these partitions."""

    async def ask() -> list[str]:
        async with AIOKafkaConsumer(
            bootstrap_servers=nodes.bootstrap, auto_offset_reset="earliest"
        ) as consumer:
            places = [TopicPartition(topic, number) for number in partitions]
            consumer.assign(places)
            ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
            found: list[str] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += [CONTRACT.decode(record.value).event_id for record in records]
            return found

    return asyncio.run(asyncio.wait_for(ask(), 60))


def leaders(nodes: Nodes, topic: str) -> set[int]:
    """The nodes that lead partitions of `topic`, as far as known; -1 means none."""

    async def ask() -> set[int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=nodes.first.bootstrap)
        await admin.start()
        try:
            (described,) = await admin.describe_topics([topic])
            return {each["leader"] for each in described["partitions"]}
        except KafkaError:  # it asked the node that is down
            return set()
        finally:
            await admin.close()

    return asyncio.run(ask())


@dataclass
class Load:
    """Clients that post one event after another, and the answers they got."""

    url: str
    clients: ExitStack
    """Closes the clients at the end."""
    acknowledged: list[str] = field(default_factory=list)
    refused: list[httpx.Response] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    own: threading.local = field(default_factory=threading.local)

    @property
    def client(self) -> httpx.Client:
        """This thread's client: a shared one may close a connection that it has just handed out."""
        if not hasattr(self.own, "client"):
            client = httpx.Client(base_url=self.url, timeout=60)
            self.own.client = self.clients.enter_context(client)
        own: httpx.Client = self.own.client
        return own

    def post(self) -> httpx.Response:
        """Post an event."""
        response = self.client.post("/track", json=VALID)
        if response.status_code == 200:
            self.acknowledged.append(response.json()["event_id"])
        else:
            self.refused.append(response)
        return response

    def run(self) -> None:
        """Post until the load ends."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            posts = []
            while not self.over.wait(0.005):
                posts.append(clients.submit(self.post))
        for each in posts:
            each.result()

    def wait_for_more(self, *, seconds: float) -> None:
        """Return once many more events are acknowledged."""
        enough = len(self.acknowledged) + 200
        wait_until(lambda: len(self.acknowledged) >= enough, "200 events", seconds=seconds)

    @property
    def ready(self) -> bool:
        """Whether the collector is ready."""
        return self.client.get("/readyz").status_code == 200


@contextmanager
def under_load(nodes: Nodes, topic: str, *, ack_timeout: float) -> Iterator[Load]:
    """A collector under constant load from clients."""
    settings = ServeSettings(
        brokers=nodes.bootstrap, topic=topic, allow_anonymous=True, port=0, ack_timeout=ack_timeout
    )
    with (
        CollectorServer(settings).in_thread() as url,
        ExitStack() as clients,
        ThreadPoolExecutor(1) as thread,
    ):
        load = Load(url, clients)
        wait_until(lambda: load.ready, "a ready collector", seconds=60)
        running = thread.submit(load.run)
        try:
            load.wait_for_more(seconds=60)
            yield load
        finally:
            load.over.set()
        running.result()


def assert_kept(load: Load, stored: Sequence[str]) -> None:
    """Every acknowledged event is stored once; everything else was answered 503."""
    assert set(load.acknowledged) <= set(stored)
    assert len(set(stored)) == len(stored)
    assert {each.status_code for each in load.refused} <= {503}


def test_events_go_to_the_partitions_that_have_a_leader(nodes: Nodes) -> None:
    """While a node is down, the other's partitions get all events, and nothing is lost."""
    topic = create_topic(nodes, {0: [1], 1: [2], 2: [1], 3: [2]}, min_insync=1)
    # Records in flight to the node stay stuck for longer than the test waits for the others.
    with under_load(nodes, topic, ack_timeout=60) as load:
        with nodes.second_away():
            load.wait_for_more(seconds=30)
            wait_until(lambda: leaders(nodes, topic) == {1, -1}, "its end", seconds=60)
            load.wait_for_more(seconds=30)
            assert load.ready
        before = len(read(nodes, topic, 1, 3))
        wait_until(lambda: len(read(nodes, topic, 1, 3)) > before, "use of the node", seconds=60)
    assert_kept(load, read(nodes, topic, *range(4)))


def test_too_few_replicas_in_sync_are_an_absence(nodes: Nodes) -> None:
    """With too few replicas in sync, the answer is 503 until they are back."""
    topic = create_topic(nodes, {0: [1, 2], 1: [2, 1]}, min_insync=2)
    with under_load(nodes, topic, ack_timeout=2) as load:
        with nodes.second_away():
            wait_until(lambda: not load.ready, "503", seconds=60)
            refused = load.post()
            assert refused.json()["error"]["code"] == "broker_unavailable"
        wait_until(lambda: load.ready, "a ready collector", seconds=60)
        load.wait_for_more(seconds=60)
    codes = {each.json()["error"]["code"] for each in load.refused}
    assert codes <= {"broker_unavailable", "not_acknowledged"}
    assert_kept(load, read(nodes, topic, 0, 1))
