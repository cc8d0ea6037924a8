"""The topic that the stream reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from events_stream.commit import Offsets, SourceIdentity
from events_stream.errors import BrokerUnavailable, TopicMissing

FETCH_TIMEOUT_MS = "30000"
"""How long a Spark task waits for records that are there."""

EARLIEST = -2
"""What Spark takes for "the earliest offset" where an offset is expected."""


@dataclass(frozen=True)
class KafkaSource:
    """A topic on a Kafka cluster, read through Spark's connector and its Kafka client."""

    spark: SparkSession
    brokers: str
    topic: str
    request_timeout: float = 5.0
    max_records_per_batch: int = 1_000_000

    def identify(self) -> SourceIdentity:
        """Return which topic of which cluster this is.

        Raises `BrokerUnavailable` after `request_timeout` seconds, and `TopicMissing`.
        """
        with self._admin() as admin:
            cluster_id = admin.describeCluster().clusterId().get()
            topic_id = self._describe(admin).topicId().toString()
        return SourceIdentity(cluster_id=cluster_id, topic=self.topic, topic_id=topic_id)

    def partitions(self) -> list[int]:
        """Return the topic's partitions; raises as `identify` does."""
        with self._admin() as admin:
            return [info.partition() for info in self._describe(admin).partitions()]

    def read_stream(self, next_offsets: Offsets) -> DataFrame:
        """Return the topic as a stream that starts, without a checkpoint, at `next_offsets`."""
        options = {
            "kafka.bootstrap.servers": self.brokers,
            "kafka.request.timeout.ms": self._timeout_ms,
            "kafka.default.api.timeout.ms": self._timeout_ms,
            "kafkaConsumer.pollTimeoutMs": FETCH_TIMEOUT_MS,
            "fetchOffset.numRetries": "1",
            "subscribe": self.topic,
            "includeHeaders": "true",
            "failOnDataLoss": "true",
            "startingOffsets": self._starting_offsets(next_offsets),
            "maxOffsetsPerTrigger": str(self.max_records_per_batch),
        }
        return self.spark.readStream.format("kafka").options(**options).load()

    def _starting_offsets(self, next_offsets: Offsets) -> str:
        if not next_offsets:
            return "earliest"
        return json.dumps(
            {self.topic: {str(p): next_offsets.get(p, EARLIEST) for p in self.partitions()}}
        )

    @property
    def _timeout_ms(self) -> str:
        return str(int(self.request_timeout * 1000))

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        jvm: Any = self.spark._jvm  # noqa: SLF001  # the only way to Kafka's own client
        settings = jvm.java.util.HashMap()
        settings.put("bootstrap.servers", self.brokers)
        settings.put("request.timeout.ms", self._timeout_ms)
        settings.put("default.api.timeout.ms", self._timeout_ms)
        admin = None
        try:
            admin = jvm.org.apache.kafka.clients.admin.AdminClient.create(settings)
            yield admin
        except Py4JJavaError as error:
            raise self._translated(error) from error
        finally:
            if admin is not None:
                admin.close(jvm.java.time.Duration.ofSeconds(1))

    def _describe(self, admin: Any) -> Any:
        names = self.spark._jvm.java.util.List.of(self.topic)  # type: ignore[union-attr]  # noqa: SLF001
        return admin.describeTopics(names).allTopicNames().get().get(self.topic)

    def _translated(self, error: Py4JJavaError) -> Exception:
        said = str(error.java_exception.toString())
        if "UnknownTopicOrPartition" in said:
            return TopicMissing(
                f"topic {self.topic!r} does not exist on {self.brokers}; "
                f"start events-ingest, which creates it"
            )
        return BrokerUnavailable(
            f"Kafka at {self.brokers} does not answer within {self.request_timeout:g} s ({said}); "
            f"check --brokers and that it runs"
        )
