"""Kafka's Java consumer, for questions that its admin client does not answer."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError

from events_stream.errors import BrokerUnavailable
from events_stream.table.position import Epoch, Offsets

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
    "fetch.max.wait.ms": "10",
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

    def records_at(self, offsets: Offsets) -> Mapping[int, Epoch]:
        """Return the epoch and offset of the first record at or after an offset, by partition.

        Partitions without such a record, or whose records have no epoch, are left out. The offsets
        must be in Kafka's log, or its end.
        """
        wanted = {self._named(partition): partition for partition in offsets}
        ends = self._assign(wanted)
        for each, partition in wanted.items():
            self._consumer.seek(each, offsets[partition])
        found: dict[int, Epoch] = {}
        deadline = time.monotonic() + SILENCE_SECONDS
        while wanted:
            records = self._poll(deadline, next(iter(wanted.values())))
            for each, partition in list(wanted.items()):
                first = next(iter(records.records(each)), None)
                if first is not None and first.leaderEpoch().isPresent():
                    found[partition] = Epoch(first.leaderEpoch().get(), first.offset())
                if first is not None or self._consumer.position(each) >= ends[each]:
                    del wanted[each]
                    self._consumer.pause(self._jvm.java.util.List.of(each))
        return found

    def find_cut(self, partition: int, end: int, epoch: int) -> int | None:
        """Return where the records up to `epoch` now end, if that is before `end`; else None.

        Returns 0 if Kafka knows no such record.
        """
        named = self._named(partition)
        self._assign([named])  # asks for the leaders' epochs, without which nothing is checked
        optional = self._jvm.java.util.Optional.of(epoch)
        position = self._kafka.clients.consumer.OffsetAndMetadata(end, optional, "")
        self._consumer.seek(named, position)
        try:
            self._consumer.position(named)  # waits until Kafka has confirmed it
        except Py4JJavaError as error:
            if error.java_exception.getClass().getName() != _TRUNCATED:
                raise
            cut = error.java_exception.divergentOffsets().get(named)
            return cut.offset() if cut is not None else 0
        return None

    def _assign(self, named: Iterable[Any]) -> Any:
        """Assign partitions; return the offset at which each ends."""
        partitions = self._jvm.java.util.ArrayList()
        for each in named:
            partitions.add(each)
        self._consumer.assign(partitions)
        self._consumer.resume(partitions)
        return self._consumer.endOffsets(partitions)

    def count(self, partition: int, start: int, end: int) -> int:
        """Return how many records `partition` has from offset `start` to before `end`."""
        named = self._named(partition)
        self._assign([named])
        self._consumer.seek(named, start)
        counted = 0
        deadline = time.monotonic() + SILENCE_SECONDS
        while self._consumer.position(named) < end:
            records = self._poll(deadline, partition).records(named)
            if records.size():
                deadline = time.monotonic() + SILENCE_SECONDS
            counted += bisect_left(range(records.size()), end, key=lambda n: records[n].offset())
        return counted

    def _poll(self, deadline: float, partition: int) -> Any:
        """Return the records of the next second. Raises `BrokerUnavailable` after `deadline`."""
        if time.monotonic() > deadline:
            raise BrokerUnavailable(
                f"Kafka sent no record of partition {partition} for {SILENCE_SECONDS} s, "
                f"although it has more; check that its brokers run"
            )
        return self._consumer.poll(self._jvm.java.time.Duration.ofSeconds(1))


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
