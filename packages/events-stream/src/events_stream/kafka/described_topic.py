"""What Kafka says about a topic: its identity, where it begins and ends, and its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql import SparkSession

from events_schema.runtime.kafka_failures import access_denied
from events_stream.kafka.consumer import SETTINGS as CONSUMING
from events_stream.kafka.failures import translate
from events_stream.kafka.topic import TopicNow
from events_stream.table.position import Offsets, SourceIdentity

_SETTINGS = ("cleanup.policy", "retention.ms", "segment.ms")

_DELETION = timedelta(minutes=10)
"""Kafka looks for old segments every 5 minutes, and deletes their files a minute later."""


@dataclass
class DescribedTopic:
    """A topic on a Kafka cluster, described through the Kafka client of Spark's connector."""

    spark: SparkSession
    brokers: str
    topic: str
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

    def leaves_offsets_empty(self, partition: int) -> bool:
        """Return whether offsets without a record are normal in `partition`.

        They are if a producer that Kafka still knows wrote transactions, or if the topic is
        compacted. Raises the errors of `look`.
        """
        jvm: Any = self.spark._jvm  # noqa: SLF001
        named = jvm.org.apache.kafka.common.TopicPartition(self.topic, partition)
        with self._admin() as admin:
            listed = jvm.java.util.List.of(named)
            producers = admin.describeProducers(listed).partitionResult(named).get()
            if any(each.coordinatorEpoch().isPresent() for each in producers.activeProducers()):
                return True
            return "compact" in self._configured(admin)["cleanup.policy"]

    def retention(self) -> timedelta | None:
        """Return how long Kafka keeps a record of the topic at most; None if for ever.

        Raises the errors of `look`.
        """
        with self._admin() as admin:
            return retention(self._configured(admin))

    def _configured(self, admin: Any) -> Mapping[str, str]:
        """Return the settings of the topic that say how long it keeps a record, by name."""
        jvm: Any = self.spark._jvm  # noqa: SLF001
        config = jvm.org.apache.kafka.common.config.ConfigResource
        topic = config(config.Type.TOPIC, self.topic)
        described = admin.describeConfigs(jvm.java.util.List.of(topic)).all().get().get(topic)
        return {name: described.get(name).value() for name in _SETTINGS}

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


def retention(configured: Mapping[str, str]) -> timedelta | None:
    """Return how long a topic with these settings keeps a record at most; None if for ever.

    Kafka deletes a segment when its newest record is older than `retention.ms`, and a segment takes
    records for up to `segment.ms`. Limits in bytes can only delete it earlier.
    """
    milliseconds = int(configured["retention.ms"])
    if milliseconds < 0 or "delete" not in configured["cleanup.policy"]:
        return None
    try:
        return timedelta(milliseconds=milliseconds + int(configured["segment.ms"])) + _DELETION
    except OverflowError:
        return None


def _leaders(listed: Any) -> Mapping[int, int]:
    """Return the leaders' epochs that Kafka's client listed, by partition; old Kafka has none."""
    found = {each.getKey().partition(): each.getValue() for each in listed.get().entrySet()}
    epochs = {partition: each.leaderEpoch() for partition, each in found.items()}
    return {partition: epoch.get() for partition, epoch in epochs.items() if epoch.isPresent()}


def _offsets(listed: Any) -> Offsets:
    """Return the offsets that Kafka's client listed, by partition."""
    return {each.getKey().partition(): each.getValue().offset() for each in listed.get().entrySet()}
