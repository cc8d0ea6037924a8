"""The Kafka topic that the stream reads: its identity, its offsets and its records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pyspark.sql import DataFrame

from events_stream.errors import CutUnknown
from events_stream.kafka.consumer import Consumer, open_consumer
from events_stream.kafka.described_topic import DescribedTopic
from events_stream.kafka.epochs import RecordAt, extend, find_cut
from events_stream.kafka.topic import TopicNow
from events_stream.table.position import Epoch, Epochs, Offsets

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


@dataclass(kw_only=True)
class KafkaSource(DescribedTopic):
    """A topic on a Kafka cluster, read through Spark's connector and its Kafka client."""

    max_records_per_batch: int

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
                if p not in last and consumer.find_cut(p, end, epoch) is None:
                    continue  # a new leader does not show all of its records at once
                if topic.leaders.get(p, epoch) < epoch:
                    where = f"the table ends at offset {end}, read"
                    raise _unknown(p, where, epoch, "give a new --target and --checkpoint")
                cut = find_cut(epochs[p], there[p], topic.latest[p], _lookup(consumer, p))
                if cut is not None:
                    cuts[p] = cut
        return cuts

    def find_cut_ends(self, ends: Offsets, epochs: Mapping[int, int], topic: TopicNow) -> Offsets:
        """Return where Kafka has cut its log below `ends`, by partition.

        Its partitions ended at `ends` when their leaders had the epochs `epochs`. Raises
        `CutUnknown`, and the errors of `look`.
        """
        led = {p: epochs[p] for p in ends if p in epochs and p in topic.leaders}
        changed = {p: epoch for p, epoch in led.items() if topic.leaders[p] != epoch}
        for p, epoch in changed.items():
            if topic.leaders[p] < epoch:
                where = f"at an erasure, the topic ended at offset {ends[p]}"
                raise _unknown(p, where, epoch, "erase the same users again")
        if not changed:
            return {}
        with self._translating(), self._consumer() as consumer:
            found = {p: consumer.find_cut(p, ends[p], epoch) for p, epoch in changed.items()}
        return {p: cut for p, cut in found.items() if cut is not None}

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

    def _consumer(self) -> AbstractContextManager[Consumer]:
        return open_consumer(self.spark._jvm, self._client_settings, self.topic)  # noqa: SLF001

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


def _lookup(consumer: Consumer, partition: int) -> RecordAt:
    return lambda offset: consumer.records_at({partition: offset}).get(partition)


def _unknown(partition: int, where: str, epoch: int, way_out: str) -> CutUnknown:
    return CutUnknown(
        f"partition {partition}: {where} under leader epoch {epoch}, which Kafka does not know: "
        f"its log was replaced, for example by an old copy; {way_out}"
    )
