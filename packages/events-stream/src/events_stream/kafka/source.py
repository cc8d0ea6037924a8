"""The Kafka topic that the stream reads: its identity, its offsets and its records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from events_schema.runtime.kafka_failures import access_denied
from events_stream.errors import CutUnknown
from events_stream.kafka.consumer import SETTINGS as CONSUMING
from events_stream.kafka.consumer import Consumer, open_consumer
from events_stream.kafka.epochs import RecordAt, extend, find_cut
from events_stream.kafka.failures import translate
from events_stream.kafka.topic import TopicNow
from events_stream.table.position import Epoch, Epochs, Offsets, SourceIdentity

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

    def look(self) -> TopicNow:
        """Return the identity of the topic, and the offsets at which it begins and ends now.

        Raises `BrokerUnavailable` after `request_timeout` seconds, `TopicMissing`, and
        `KafkaRefused`.
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
                leaders=_leaders(latest),
            )

    def find_cuts(self, read: Offsets, epochs: Epochs, topic: TopicNow) -> Offsets:
        """Return from which offset on Kafka no longer has what was `read`, by partition.

        `epochs` are those of the records that were read; partitions without any are not checked.
        Raises `CutUnknown`, and the errors of `look`.
        """
        cuts: dict[int, int] = {}
        there = {p: range(first, read[p]) for p, first in topic.earliest.items() if p in read}
        ends = {p: there[p].stop for p in epochs if there.get(p)}
        if not ends:
            return cuts
        with self._translating(), self._consumer() as consumer:
            last = {p: end - 1 for p, end in ends.items() if end <= topic.latest[p]}
            newest = consumer.records_at(last)
            for p, end in ends.items():
                epoch = epochs[p][-1].epoch
                if newest.get(p) == Epoch(epoch, end - 1):
                    continue
                if p not in last and not consumer.is_cut(p, end, epoch):
                    continue  # a new leader does not show all of its records at once
                if topic.leaders.get(p, epoch) < epoch:
                    raise CutUnknown(
                        f"partition {p}: the table ends at offset {end}, read under leader epoch "
                        f"{epoch}, which Kafka does not know: its log was replaced, for example by "
                        f"an old copy; give a new --target and --checkpoint"
                    )
                cut = find_cut(epochs[p], there[p], topic.latest[p], _lookup(consumer, p))
                if cut is not None:
                    cuts[p] = cut
        return cuts

    def extend(self, epochs: Epochs, read: Mapping[int, range]) -> Epochs:
        """Return `epochs` with those of the records that were `read`, by partition.

        Raises the errors of `look`.
        """
        if not read:
            return epochs
        with self._translating(), self._consumer() as consumer:
            return {
                **epochs,
                **{
                    p: found
                    for p, offsets in read.items()
                    if (found := extend(epochs.get(p, ()), offsets, _lookup(consumer, p)))
                },
            }

    def count(self, partition: int, start: int, end: int) -> int:
        """Return how many records Kafka has from offset `start` to before `end`, without Spark.

        Raises the errors of `look`.
        """
        with self._translating(), self._consumer() as consumer:
            return consumer.count(partition, start, end)

    def leaves_offsets_empty(self, partition: int) -> bool:
        """Return whether offsets without a record are normal in `partition`.

        They are if a producer that Kafka still knows wrote transactions, or if the topic is
        compacted. Raises the errors of `look`.
        """
        kafka = self.spark._jvm.org.apache.kafka  # type: ignore[union-attr]  # noqa: SLF001
        listed = self.spark._jvm.java.util.List  # type: ignore[union-attr]  # noqa: SLF001
        named = kafka.common.TopicPartition(self.topic, partition)
        topic = kafka.common.config.ConfigResource(
            kafka.common.config.ConfigResource.Type.TOPIC, self.topic
        )
        with self._admin() as admin:
            producers = admin.describeProducers(listed.of(named)).partitionResult(named).get()
            if any(each.coordinatorEpoch().isPresent() for each in producers.activeProducers()):
                return True
            configured = admin.describeConfigs(listed.of(topic)).all().get().get(topic)
            return "compact" in configured.get("cleanup.policy").value()

    def _consumer(self) -> AbstractContextManager[Consumer]:
        return open_consumer(self.spark._jvm, self._client_settings, self.topic)  # noqa: SLF001

    def _describe(self, admin: Any) -> tuple[Any, Any]:
        """Return a Java future of the cluster's id, and the topic's description."""
        cluster = admin.describeCluster().clusterId()
        jvm: Any = self.spark._jvm  # noqa: SLF001
        kafka = jvm.org.apache.kafka
        names = jvm.java.util.List.of(self.topic)
        options = kafka.clients.admin.DescribeTopicsOptions().includeAuthorizedOperations(True)
        described = admin.describeTopics(names, options).allTopicNames().get().get(self.topic)
        allowed = described.authorizedOperations()
        if allowed and kafka.common.acl.AclOperation.READ not in allowed:
            raise access_denied("read", self.topic, self.brokers)
        return cluster, described

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
            **FETCHING,
            **{f"kafka.{name}": value for name, value in self._client_settings.items()},
            "kafkaConsumer.pollTimeoutMs": FETCH_TIMEOUT_MS,
            "fetchOffset.numRetries": "1",
            "subscribe": self.topic,
            "includeHeaders": "true",
            "failOnDataLoss": "true",
            "startingOffsets": json.dumps({self.topic: offsets}),
            "maxOffsetsPerTrigger": str(self.max_records_per_batch),
        }
        return self.spark.readStream.format("kafka").options(**options).load()

    @property
    def _client_settings(self) -> Mapping[str, str]:
        """The settings of all clients of Kafka, in Java's names."""
        milliseconds = str(int(self.request_timeout * 1000))
        return {
            "bootstrap.servers": self.brokers,
            "request.timeout.ms": milliseconds,
            "default.api.timeout.ms": milliseconds,
            **self.security,
        }

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        """Yield Kafka's admin client; it is reused until a request fails."""
        with self._translating():
            if self._client is None:
                self._client = self._connect()
            yield self._client

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except Py4JJavaError as error:
            self.close()
            raise translate(error, brokers=self.brokers, topic=self.topic) from error

    def _connect(self) -> Any:
        jvm: Any = self.spark._jvm  # noqa: SLF001  # the only way to reach Kafka's Java client
        settings = jvm.java.util.HashMap()
        for name, value in {**CONSUMING, **self._client_settings}.items():
            settings.put(name, value)
        try:
            jvm.org.apache.kafka.clients.consumer.ConsumerConfig(settings)  # refuses invalid values
            return jvm.org.apache.kafka.clients.admin.AdminClient.create(settings)
        except Py4JJavaError as error:  # which may show values of the options
            raise translate(error, brokers=self.brokers, topic=self.topic) from None

    def close(self) -> None:
        """Close the connection to Kafka; the next `look` opens a new one."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Py4JError, ConnectionError):  # Java may have ended
                client.close(self.spark._jvm.java.time.Duration.ofSeconds(1))  # type: ignore[union-attr]  # noqa: SLF001


def _lookup(consumer: Consumer, partition: int) -> RecordAt:
    return lambda offset: consumer.records_at({partition: offset}).get(partition)


def _leaders(listed: Any) -> Mapping[int, int]:
    """Return the leaders' epochs that Kafka's client listed, by partition; old Kafka has none."""
    found = {each.getKey().partition(): each.getValue() for each in listed.get().entrySet()}
    epochs = {partition: each.leaderEpoch() for partition, each in found.items()}
    return {partition: epoch.get() for partition, epoch in epochs.items() if epoch.isPresent()}


def _offsets(listed: Any) -> Offsets:
    """Return the offsets that Kafka's client listed, by partition."""
    return {each.getKey().partition(): each.getValue().offset() for each in listed.get().entrySet()}
