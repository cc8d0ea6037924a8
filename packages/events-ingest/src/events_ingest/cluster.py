"""The watch on Kafka: whether it answers, and whether the topic can take records."""

from __future__ import annotations

import asyncio
import contextlib

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from events_ingest.errors import BrokerUnavailable
from events_ingest.topic import Topic, ensure_topic, warn_where_weak

_REQUEST_TIMEOUT_MS = 3000
_CHECK_SECONDS = 15.0
_CLOSE_SECONDS = 2.0
_POLL_SECONDS = 0.05


class Cluster:
    """What Kafka says about the topic, asked over a connection of its own.

    After a failed check the next one starts from the given addresses again: what the cluster
    said of its own may be out of date.
    """

    def __init__(self, brokers: str, topic: Topic) -> None:
        self._brokers = brokers
        self._topic = topic
        self._client: AIOKafkaClient | None = None
        self._topic_seen = False

    async def check(self) -> None:
        """Return if a partition of the topic has a leader; create the topic if it is missing.

        Raises `BrokerUnavailable`, within `_CHECK_SECONDS`.
        """
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await (self._refresh(self._client) if self._client else self._connect())
        except BaseException as error:
            await self.close()
            if isinstance(error, TimeoutError):
                raise BrokerUnavailable("no answer in time") from error
            if isinstance(error, (KafkaError, OSError)):
                raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
            raise

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await client.close()

    async def _connect(self) -> None:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._brokers, request_timeout_ms=_REQUEST_TIMEOUT_MS
        )
        try:
            await admin.start()
            await ensure_topic(admin, self._topic)
            await self._follow_topic()
            if not self._topic_seen:  # the operator is told once, not after each absence
                await warn_where_weak(admin, self._topic)
            self._topic_seen = True
        finally:
            await admin.close()

    async def _follow_topic(self) -> None:
        self._client = client = AIOKafkaClient(
            bootstrap_servers=self._brokers, request_timeout_ms=_REQUEST_TIMEOUT_MS
        )
        await client.bootstrap()
        await client.set_topics([self._topic.name])
        while not self._has_leader(client):  # a new topic takes a moment
            await asyncio.sleep(_POLL_SECONDS)
            await client.force_metadata_update()

    async def _refresh(self, client: AIOKafkaClient) -> None:
        if not await client.force_metadata_update():
            raise BrokerUnavailable("no broker answers")
        if not self._has_leader(client):
            raise BrokerUnavailable(f"topic {self._topic.name} has no leader")

    def _has_leader(self, client: AIOKafkaClient) -> bool:
        return bool(client.cluster.available_partitions_for_topic(self._topic.name))
