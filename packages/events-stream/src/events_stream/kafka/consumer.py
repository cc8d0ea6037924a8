"""Kafka's Java consumer, for questions that its admin client does not answer."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError

from events_stream.errors import BrokerUnavailable, CutUnknown

_DESERIALIZER = "org.apache.kafka.common.serialization.ByteArrayDeserializer"
_TRUNCATED = "org.apache.kafka.clients.consumer.LogTruncationException"

SILENCE_SECONDS = 30
"""How long to wait for records that Kafka has."""

SETTINGS = {
    "auto.offset.reset": "none",
    "enable.auto.commit": "false",
    "key.deserializer": _DESERIALIZER,
    "value.deserializer": _DESERIALIZER,
    "max.poll.records": "100000",
}


class Consumer:
    """A consumer of `topic` without a group. Use `open_consumer`. Methods raise `Py4JJavaError`."""

    def __init__(self, jvm: Any, consumer: Any, topic: str) -> None:
        self._jvm = jvm
        self._kafka = jvm.org.apache.kafka
        self._consumer = consumer
        self._topic = topic

    def _named(self, partition: int) -> Any:
        return self._kafka.common.TopicPartition(self._topic, partition)

    def find_cuts(self, ends: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """Return where Kafka cut off what was read, by partition.

        `ends` has, for each partition, the next offset to read and the leader epoch under which
        the offsets before it were read. If there are several cuts, it may return only some of them,
        and cannot be used again. Raises `CutUnknown` if Kafka cannot say where it cut.
        """
        named = {self._named(partition): end for partition, end in ends.items()}
        partitions = self._jvm.java.util.ArrayList()
        for each in named:
            partitions.add(each)
        self._consumer.assign(partitions)
        self._consumer.endOffsets(partitions)  # without the leaders' epochs, nothing is checked
        for each, (offset, epoch) in named.items():
            read = self._jvm.java.util.Optional.of(epoch)
            position = self._kafka.clients.consumer.OffsetAndMetadata(offset, read, "")
            self._consumer.seek(each, position)
        try:
            for each in named:
                self._consumer.position(each)  # waits until Kafka has confirmed it
        except Py4JJavaError as error:
            exception = error.java_exception
            if exception.getClass().getName() != _TRUNCATED:
                raise
            return _cuts(exception, ends)
        return {}

    def count(self, partition: int, start: int, end: int) -> int:
        """Return how many records `partition` has from offset `start` to before `end`."""
        named = self._named(partition)
        self._consumer.assign(self._jvm.java.util.List.of(named))
        self._consumer.seek(named, start)
        counted = 0
        second = self._jvm.java.time.Duration.ofSeconds(1)
        deadline = time.monotonic() + SILENCE_SECONDS
        while self._consumer.position(named) < end:
            records = self._consumer.poll(second).records(named)
            if records.size():
                deadline = time.monotonic() + SILENCE_SECONDS
            elif time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"Kafka sent no record of partition {partition} for {SILENCE_SECONDS} s, "
                    f"although it has more; check that its brokers run"
                )
            counted += bisect_left(range(records.size()), end, key=lambda n: records[n].offset())
        return counted


def _cuts(exception: Any, ends: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    found = {
        each.getKey().partition(): each.getValue().offset()
        for each in exception.divergentOffsets().entrySet()
    }
    for each in exception.partitions():
        partition = each.partition()
        if partition not in found:
            offset, epoch = ends[partition]
            raise CutUnknown(
                f"partition {partition}: the table ends at offset {offset}, read under leader "
                f"epoch {epoch}, which Kafka does not know: its log was replaced, for example by "
                f"an old copy; give a new --target and --checkpoint"
            )
    return found


@contextmanager
def open_consumer(jvm: Any, settings: Mapping[str, str], topic: str) -> Iterator[Consumer]:
    """Yield a consumer with these settings of Kafka's Java client, which include the brokers."""
    options = jvm.java.util.HashMap()
    for name, value in {**settings, **SETTINGS}.items():
        options.put(name, value)
    consumer = jvm.org.apache.kafka.clients.consumer.KafkaConsumer(options)
    try:
        yield Consumer(jvm, consumer, topic)
    finally:
        consumer.close(jvm.java.time.Duration.ofSeconds(1))
