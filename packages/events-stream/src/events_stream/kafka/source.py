"""The Kafka topic that the stream reads: its identity, its offsets and its records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from events_stream.errors import BrokerUnavailable, TopicMissing
from events_stream.table.position import Offsets, SourceIdentity

FETCH_TIMEOUT_MS = "30000"
"""How long a Spark task waits for records that Kafka has."""

FETCHING = {
    "kafka.max.poll.records": "5000",
    "kafka.max.partition.fetch.bytes": str(4 << 20),
    "kafka.receive.buffer.bytes": str(1 << 20),
    # A consumer asks for more records than it needs now, and then waits for that answer.
    "kafka.fetch.max.wait.ms": "10",
}
"""Larger fetches than the defaults of Kafka's client, and short waits. Measured: 10 % less time for
a large micro-batch, and 50 % less for a small one after another query or with failed events."""


@dataclass(frozen=True)
class TopicNow:
    """The state of a topic at one moment."""

    identity: SourceIdentity
    earliest: Offsets
    """The offset of the oldest record in each partition."""
    latest: Offsets
    """The offset that the next record of each partition will get."""

    def lag(self, next_offsets: Offsets) -> int:
        """Return how many records the topic has that a table with these next offsets lacks."""
        return sum(
            max(end - max(next_offsets.get(partition, 0), self.earliest[partition]), 0)
            for partition, end in self.latest.items()
        )


@dataclass
class KafkaSource:
    """A topic on a Kafka cluster, read through Spark's connector and its Kafka client."""

    spark: SparkSession
    brokers: str
    topic: str
    max_records_per_batch: int
    request_timeout: float = 5.0
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The settings of Kafka's client for TLS and SASL; see `client_security`."""
    _client: Any = None

    def identify(self) -> SourceIdentity:
        """Return the identity of the topic and its cluster. Raises the errors of `look`."""
        with self._admin() as admin:
            return self._identity(*self._describe(admin))

    def look(self) -> TopicNow:
        """Return the identity of the topic, and the offsets at which it begins and ends now.

        Raises `BrokerUnavailable` after `request_timeout` seconds, and `TopicMissing`.
        """
        with self._admin() as admin:
            cluster, described = self._describe(admin)
            partitions = [info.partition() for info in described.partitions()]
            earliest = self._list_offsets(admin, partitions, "earliest")
            latest = self._list_offsets(admin, partitions, "latest")
            return TopicNow(
                self._identity(cluster, described),
                earliest=_offsets(earliest),
                latest=_offsets(latest),
            )

    def _describe(self, admin: Any) -> tuple[Any, Any]:
        """Return a Java future of the cluster's id, and the topic's description."""
        cluster = admin.describeCluster().clusterId()
        names = self.spark._jvm.java.util.List.of(self.topic)  # type: ignore[union-attr]  # noqa: SLF001
        return cluster, admin.describeTopics(names).allTopicNames().get().get(self.topic)

    def _identity(self, cluster: Any, described: Any) -> SourceIdentity:
        return SourceIdentity(
            cluster_id=cluster.get(), topic=self.topic, topic_id=described.topicId().toString()
        )

    def _list_offsets(self, admin: Any, partitions: list[int], which: str) -> Any:
        jvm: Any = self.spark._jvm  # noqa: SLF001
        kafka = jvm.org.apache.kafka
        wanted = jvm.java.util.HashMap()
        for partition in partitions:
            name = kafka.common.TopicPartition(self.topic, partition)
            wanted.put(name, getattr(kafka.clients.admin.OffsetSpec, which)())
        return admin.listOffsets(wanted).all()

    def read_stream(self, start: Offsets) -> DataFrame:
        """Return the topic as a stream from the offsets `start`, which has every partition."""
        offsets = {str(partition): offset for partition, offset in start.items()}
        options = {
            "kafka.bootstrap.servers": self.brokers,
            "kafka.request.timeout.ms": self._timeout_ms,
            "kafka.default.api.timeout.ms": self._timeout_ms,
            **{f"kafka.{name}": value for name, value in self.security.items()},
            "kafkaConsumer.pollTimeoutMs": FETCH_TIMEOUT_MS,
            **FETCHING,
            "fetchOffset.numRetries": "1",
            "subscribe": self.topic,
            "includeHeaders": "true",
            "failOnDataLoss": "true",
            "startingOffsets": json.dumps({self.topic: offsets}),
            "maxOffsetsPerTrigger": str(self.max_records_per_batch),
        }
        return self.spark.readStream.format("kafka").options(**options).load()

    @property
    def _timeout_ms(self) -> str:
        return str(int(self.request_timeout * 1000))

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        """Yield Kafka's admin client; it is reused until a request fails."""
        try:
            if self._client is None:
                self._client = self._connect()
            yield self._client
        except Py4JJavaError as error:
            self.close()
            raise self._translated(error) from error

    def _connect(self) -> Any:
        jvm: Any = self.spark._jvm  # noqa: SLF001  # the only way to reach Kafka's Java client
        settings = jvm.java.util.HashMap()
        settings.put("bootstrap.servers", self.brokers)
        settings.put("request.timeout.ms", self._timeout_ms)
        settings.put("default.api.timeout.ms", self._timeout_ms)
        for name, value in self.security.items():
            settings.put(name, value)
        return jvm.org.apache.kafka.clients.admin.AdminClient.create(settings)

    def close(self) -> None:
        """Close the connection to Kafka; the next `look` opens a new one."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Py4JError, ConnectionError):  # Java may have ended
                client.close(self.spark._jvm.java.time.Duration.ofSeconds(1))  # type: ignore[union-attr]  # noqa: SLF001

    def _translated(self, error: Py4JJavaError) -> Exception:
        said = str(error.java_exception.toString())
        if "UnknownTopicOrPartition" in said:
            return TopicMissing(
                f"topic {self.topic!r} does not exist at {self.brokers}; "
                f"start events-ingest, which creates it"
            )
        return BrokerUnavailable(
            f"Kafka at {self.brokers} did not answer within {self.request_timeout:g} s ({said}); "
            f"check --brokers and that Kafka runs"
        )


def _offsets(listed: Any) -> Offsets:
    """Return the offsets that Kafka's client listed, by partition."""
    return {each.getKey().partition(): each.getValue().offset() for each in listed.get().entrySet()}
