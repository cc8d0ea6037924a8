"""Checks whether Kafka answers and which partitions can take records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

from events_ingest.errors import BrokerUnavailable
from events_ingest.kafka import clients
from events_ingest.kafka.access import FAILURES, explain
from events_ingest.kafka.rights import check_rights
from events_ingest.kafka.topic import (
    Topic,
    TopicLimits,
    describe_limits,
    ensure_topic,
    warn_where_weak,
)

_REQUEST_TIMEOUT_MS = 3000
_CHECK_SECONDS = 15.0
_POLL_SECONDS = 0.05


class Cluster:
    """Kafka's state of the topic, requested over a separate connection.

    After a failed check, the next one starts from the given addresses again, since those that the
    cluster announced may be outdated.
    """

    def __init__(self, client_options: Mapping[str, Any], topic: Topic) -> None:
        self._options = {**client_options, "request_timeout_ms": _REQUEST_TIMEOUT_MS}
        self._topic = topic
        self._client: AIOKafkaClient | None = None
        self._topic_seen = False
        self._min_insync_replicas = topic.min_insync_replicas

    async def check(self) -> frozenset[int]:
        """Return the partitions that can take records; create the topic if it is missing.

        Raises `BrokerUnavailable` if there are none, within `_CHECK_SECONDS`, and `KafkaRefused`.
        """
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await (self._refresh(self._client) if self._client else self._connect())
            return self._writable()
        except BaseException as error:
            await self.close()
            if isinstance(error, TimeoutError):
                raise BrokerUnavailable(f"no answer within {_CHECK_SECONDS:g} s") from error
            if isinstance(error, FAILURES):
                raise await explain(error, self._options, self._topic.name) from error
            raise

    async def limits(self) -> TopicLimits:
        """Return the topic's current limits. Raises aiokafka's errors."""
        async with self._admin() as admin:
            return await describe_limits(admin, self._topic.name)

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await clients.end(client.close())

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(**self._options)
        try:
            await clients.start(admin.start())
            yield admin
        finally:
            await admin.close()

    async def _connect(self) -> None:
        async with self._admin() as admin:
            await ensure_topic(admin, self._topic)
            brokers = self._options["bootstrap_servers"]
            await check_rights(admin._send_request, self._topic.name, brokers)  # noqa: SLF001
            await self._follow_topic()
            limits = await describe_limits(admin, self._topic.name)
            self._min_insync_replicas = limits.min_insync_replicas
            if not self._topic_seen:  # warn once, not after every reconnect
                await warn_where_weak(admin, self._topic, limits)
            self._topic_seen = True

    async def _follow_topic(self) -> None:
        self._client = client = AIOKafkaClient(**self._options)
        await clients.start(client.bootstrap())
        await client.set_topics([self._topic.name])
        while not self._leading(client):  # a new topic needs a moment to get leaders
            await asyncio.sleep(_POLL_SECONDS)
            await client.force_metadata_update()

    async def _refresh(self, client: AIOKafkaClient) -> None:
        if not await client.force_metadata_update():
            raise BrokerUnavailable("no broker answers")

    def _leading(self, client: AIOKafkaClient) -> set[int]:
        return set(client.cluster.available_partitions_for_topic(self._topic.name) or ())

    def _writable(self) -> frozenset[int]:
        """Return the partitions with a leader and enough replicas in sync."""
        assert self._client is not None  # noqa: S101  # connected just now
        leading = self._leading(self._client)
        if not leading:
            raise BrokerUnavailable(f"topic {self._topic.name} has no leader")
        known = self._client.cluster._partitions[self._topic.name]  # noqa: SLF001  # its only place
        writable = frozenset(
            partition
            for partition in leading
            if len(known[partition].isr) >= self._min_insync_replicas
        )
        if not writable:
            raise BrokerUnavailable(
                f"topic {self._topic.name} has too few replicas in sync: "
                f"expected {self._min_insync_replicas}"
            )
        return writable
