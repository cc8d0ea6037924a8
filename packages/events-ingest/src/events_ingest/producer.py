"""The way of a record to Kafka. Nothing here knows of HTTP."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol

import structlog

from events_ingest.cluster import Cluster
from events_ingest.connection import Connection
from events_ingest.errors import BrokerUnavailable, BufferFull, NotAcknowledged, ProducerError
from events_ingest.topic import Topic

log = structlog.get_logger()

RECORD_OVERHEAD = 512
"""Bytes that a record on its way takes beside its value: a future, its place in a batch."""

_WATCH_SECONDS = 1.0
_OPEN_SECONDS = 15.0
_STOP_SECONDS = 5.0


class EventProducer(Protocol):
    """Takes records and says when they are safe."""

    @property
    def ready(self) -> bool:
        """Whether a record would be tried now."""
        ...

    async def start(self) -> None:
        """Begin to reach for Kafka; return at once."""
        ...

    async def stop(self) -> None:
        """Let go of Kafka; records on their way get a moment to arrive."""
        ...

    async def produce(self, value: bytes) -> None:
        """Return once the broker has acknowledged `value`. Raises `ProducerError`."""
        ...


class KafkaProducer:
    """Produces to one topic and rides out any absence of Kafka.

    A task looks at Kafka every second. While it is known to be away, `produce` fails at once.
    After an absence, or a record that failed, the aiokafka producer is replaced by a new one,
    with a new producer id; the old one has `ack_timeout` to bring home what it holds.
    """

    def __init__(
        self, brokers: str, topic: Topic, *, ack_timeout: float, max_in_flight_bytes: int
    ) -> None:
        self._brokers = brokers
        self._topic = topic
        self._ack_timeout = ack_timeout
        self._max_in_flight_bytes = max_in_flight_bytes
        self._in_flight_bytes = 0
        self._cluster = Cluster(brokers, topic)
        self._connection: Connection | None = None
        self._reachable: bool | None = None
        self._watch_task: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether Kafka was there when last looked at."""
        return self._reachable is True

    @property
    def in_flight_bytes(self) -> int:
        """What waits for Kafka now, also for requests that were answered already."""
        return self._in_flight_bytes

    async def start(self) -> None:
        """Begin to watch Kafka; return at once."""
        self._watch_task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """End; what is on its way gets a few seconds if Kafka is there."""
        if self._watch_task:
            self._watch_task.cancel()
            await asyncio.wait([self._watch_task])
        grace = _STOP_SECONDS if self.ready else 0
        self._reachable = False
        if self._connection:
            await self._connection.close(grace=grace)
        for task in self._retiring:
            task.cancel()
        if self._retiring:
            await asyncio.wait(self._retiring)
        await self._cluster.close()

    async def produce(self, value: bytes) -> None:
        """Return once every in-sync replica has `value`.

        Raises `BrokerUnavailable` and `BufferFull` without having tried, `NotAcknowledged` where
        it may be on the topic all the same.
        """
        connection = self._connection
        if not self.ready or connection is None:
            raise BrokerUnavailable("Kafka is away now; send the event again later")
        size = len(value) + RECORD_OVERHEAD
        if self._in_flight_bytes + size > self._max_in_flight_bytes:
            raise BufferFull("too many events wait for Kafka; send the event again later")
        self._in_flight_bytes += size
        try:
            async with asyncio.timeout(self._ack_timeout):
                await connection.send(value, settled=partial(self._release, size))
        except TimeoutError:
            text = f"no acknowledgement within {self._ack_timeout:g} s"
            connection.failure = connection.failure or text
            raise NotAcknowledged(f"{text}; send the event again with this event_id") from None

    def _release(self, size: int) -> None:
        self._in_flight_bytes -= size

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001  # whatever it is, the watch goes on
                self._lose(error)
            await asyncio.sleep(_WATCH_SECONDS)

    async def _look(self) -> None:
        await self._cluster.check()
        if not self.ready or self._connection is None or self._connection.failure:
            await self._replace_connection()
        if not self.ready:
            log.info("broker reachable", brokers=self._brokers, topic=self._topic.name)
        self._reachable = True

    def _lose(self, error: Exception) -> None:
        if self._reachable is not False:
            reason = str(error) if isinstance(error, ProducerError) else repr(error)
            log.warning("broker unreachable", brokers=self._brokers, reason=reason)
        self._reachable = False

    async def _replace_connection(self) -> None:
        async with asyncio.timeout(_OPEN_SECONDS):
            fresh = await Connection.open(
                self._brokers, self._topic.name, request_timeout=self._ack_timeout
            )
        stale, self._connection = self._connection, fresh
        if stale is None:
            return
        if stale.failure:
            log.warning("producer replaced", reason=stale.failure)
        retiring = asyncio.create_task(stale.close(grace=self._ack_timeout))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)
