"""Sends records to one Kafka topic, and reconnects when Kafka comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import structlog

from events_ingest.budget import Budget
from events_ingest.errors import BrokerUnavailable
from events_ingest.kafka.cluster import Cluster
from events_ingest.kafka.connection import Connection
from events_ingest.kafka.group_commit import CommitObserver, GroupCommit
from events_ingest.kafka.topic import Topic
from events_schema import EventsError
from events_schema.runtime.errors import KafkaRefused

log = structlog.get_logger()

_WATCH_SECONDS = 1.0
_FIRST_LOOK_SECONDS = 10.0
_OPEN_SECONDS = 15.0
_STOP_SECONDS = 5.0
_BATCH_OVERHEAD = 128
"""At most this many bytes of a record batch with one record are not its value."""


class EventProducer(Protocol):
    """Takes records and reports when they are stored."""

    @property
    def ready(self) -> bool:
        """Whether records can be sent now."""
        ...

    async def start(self) -> None:
        """Connect to Kafka; return within seconds, even if it is unavailable."""
        ...

    async def stop(self) -> None:
        """Disconnect from Kafka, after a short wait for records in flight."""
        ...

    def produce(self, values: Sequence[bytes]) -> list[asyncio.Future[None]]:
        """Take all `values` or none; return a future for each that is done once it is acknowledged.

        Values may share a future, so do not cancel it. A future fails with a `ProducerError` after
        a bounded time. Raises `ProducerError` if nothing was sent.
        """
        ...


class KafkaProducer:
    """Produces to one topic by group commit, and survives outages of Kafka.

    A task checks Kafka every second. While Kafka is unavailable, `produce` fails at once. After an
    outage or a failed record batch, the aiokafka producer is replaced by a new one with a new
    producer id; the old one has `ack_timeout` seconds to finish what it has in flight.
    """

    def __init__(
        self,
        client_options: Mapping[str, Any],
        topic: Topic,
        budget: Budget,
        observer: CommitObserver,
        *,
        ack_timeout: float,
        batch_bytes: int,
        max_record_bytes: int,
        linger: float,
    ) -> None:
        self._client_options = client_options
        self._topic = topic
        self._ack_timeout = ack_timeout
        self._batch_bytes = batch_bytes
        self._max_record_bytes = max_record_bytes
        self._commit = GroupCommit(budget, observer, linger=linger, ack_timeout=ack_timeout)
        self._cluster = Cluster(client_options, topic)
        self._connection: Connection | None = None
        self._reachable: bool | None = None
        self._lost = ""
        """Why Kafka was unavailable at the last check."""
        self._watch_task: asyncio.Task[None] | None = None
        self._looked = asyncio.Event()
        self._retiring: dict[asyncio.Task[None], Connection] = {}

    @property
    def ready(self) -> bool:
        """Whether Kafka was available at the last check."""
        return self._reachable is True

    async def start(self) -> None:
        """Start the checks of Kafka; return after the first one, or after 10 s.

        Before the first check, the collector would refuse requests even if Kafka is available.
        """
        self._watch_task = asyncio.create_task(self._watch())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_LOOK_SECONDS):
                await self._looked.wait()

    async def stop(self) -> None:
        """Stop; records in flight get a few seconds if Kafka is available."""
        if self._watch_task:
            self._watch_task.cancel()
            await asyncio.wait([self._watch_task])
        grace = _STOP_SECONDS if self.ready else 0
        self._reachable = False
        await self._commit.drain(grace)
        for stale in self._retiring.values():
            stale.hurry()
        if self._connection:
            await self._connection.close(grace=0)
        if self._retiring:
            await asyncio.wait(self._retiring)
        await self._commit.drain(_STOP_SECONDS)  # the record batches that have just failed
        await self._cluster.close()

    def produce(self, values: Sequence[bytes]) -> list[asyncio.Future[None]]:
        """Take all `values` or none, as described in `EventProducer`.

        Raises `BrokerUnavailable` and `BufferFull` if nothing was sent. A future fails with
        `NotAcknowledged` if its value may be on the topic nevertheless.
        """
        if not self.ready:
            raise BrokerUnavailable("Kafka is unavailable; send it again later")
        return self._commit.add(values)

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001  # the checks must go on after any error
                self._lose(error)
            self._looked.set()
            await asyncio.sleep(_WATCH_SECONDS)

    async def _look(self) -> None:
        if self._connection is not None and self._connection.failure:
            await self._cluster.close()  # so that the check asks for everything anew
        partitions = await self._cluster.check()
        if not self.ready or self._connection is None or self._connection.failure:
            await self._replace_connection(partitions)
        else:
            await self._connection.use(partitions)
        if not self.ready:
            log.info(
                "broker reachable",
                brokers=self._client_options["bootstrap_servers"],
                topic=self._topic.name,
            )
        self._reachable = True

    def _lose(self, error: Exception) -> None:
        reason = str(error) if isinstance(error, EventsError) else repr(error)
        refused = isinstance(error, KafkaRefused) and reason != self._lost  # a person must read it
        if self._reachable is not False or refused:
            log.warning(
                "broker unreachable",
                brokers=self._client_options["bootstrap_servers"],
                reason=reason,
            )
        self._lost, self._reachable = reason, False

    async def _replace_connection(self, partitions: Collection[int]) -> None:
        async with asyncio.timeout(_OPEN_SECONDS):
            fresh = await Connection.open(
                self._client_options,
                self._topic.name,
                partitions,
                request_timeout=self._ack_timeout,
                batch_bytes=await self._allowed_batch_bytes(),
            )
        stale, self._connection = self._connection, fresh
        self._commit.sink = fresh
        if stale is None:
            return
        if stale.failure:
            log.warning("producer replaced", reason=stale.failure)
        retiring = asyncio.create_task(stale.close(grace=self._ack_timeout))
        self._retiring[retiring] = stale
        retiring.add_done_callback(self._retiring.pop)

    async def _allowed_batch_bytes(self) -> int:
        """Return the size of record batches, at most what the topic accepts."""
        allowed = (await self._cluster.limits()).max_message_bytes
        needed = self._max_record_bytes + _BATCH_OVERHEAD
        if allowed < needed:
            raise BrokerUnavailable(
                f"topic {self._topic.name} takes record batches of at most {allowed} bytes, but "
                f"one event may need {needed}; raise its max.message.bytes"
            )
        return min(self._batch_bytes, allowed)
