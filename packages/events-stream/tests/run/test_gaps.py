"""Offsets without a record: transactions and compaction leave them, and other gaps are losses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from pyspark.sql import DataFrame, SparkSession

from events_loadgen.processes.broker import LocalBroker
from events_stream.errors import OtherRecords, RecordsLost
from events_stream.kafka.source import KafkaSource
from events_stream.table.position import Counts, Loss, Offsets
from line_support.dropped_records import drop_records
from line_support.topics import Topics
from stream_support.envelopes import encoded
from stream_support.streaming import store

pytestmark = pytest.mark.extended


async def _transact(brokers: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=brokers, transactional_id=topic)
    async with producer:
        for value in values:
            async with producer.transaction():
                await producer.send_and_wait(topic, value, partition=0)


def test_the_markers_of_transactions_are_not_a_loss(
    topics: Topics, spark: SparkSession, tmp_path: Path
) -> None:
    """Each transaction leaves an offset without a record, also at the end of a batch."""
    topic = topics.create(partitions=1)
    asyncio.run(_transact(topics.bootstrap, topic, encoded(3)))
    state = store(spark, topics.bootstrap, topic, tmp_path)
    position = state.position
    assert (position.totals, position.next_offsets) == (Counts(read=3, stored=3), {0: 6})
    assert position.empty_offsets == 3


def test_records_that_compaction_removed_are_not_a_loss_and_others_are(
    mortal_broker: LocalBroker, spark: SparkSession, tmp_path: Path
) -> None:
    """A gap in a topic that is not compacted is refused until it is accepted."""
    topics = Topics(mortal_broker.bootstrap)
    topic = topics.create(partitions=1)
    for _ in range(3):
        topics.produce(topic, encoded(10))
    mortal_broker.kill()
    drop_records(mortal_broker.folder, topic, 0, 10, 20)
    mortal_broker.start()
    with pytest.raises(RecordsLost, match=r"10 of the offsets 0 to 29 have no record, although"):
        store(spark, mortal_broker.bootstrap, topic, tmp_path / "plain")
    state = store(spark, mortal_broker.bootstrap, topic, tmp_path / "plain", accept_loss=True)
    accepted = state.position
    topics.configure(topic, {"cleanup.policy": "compact"})
    compacted = store(spark, mortal_broker.bootstrap, topic, tmp_path / "compacted").position
    assert (accepted.totals, accepted.empty_offsets) == (Counts(read=20, stored=20), 0)
    assert accepted.lost == (Loss(partition=0, start=0, end=30, records=10),)
    assert (compacted.totals, compacted.empty_offsets) == (Counts(read=20, stored=20), 10)
    assert compacted.lost == ()


def test_a_record_that_spark_leaves_out_is_noticed(
    topics: Topics, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the batch is stored, and the next start reads it whole."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(10))
    read_stream = KafkaSource.read_stream

    def leave_out(source: KafkaSource, start: Offsets) -> DataFrame:
        return read_stream(source, start).where("offset != 7")

    with monkeypatch.context() as patched:
        patched.setattr(KafkaSource, "read_stream", leave_out)
        said = "expected 10 records at offsets 0 to 9, but Spark read 9 at offsets 0 to 9"
        with pytest.raises(OtherRecords, match=said):
            store(spark, topics.bootstrap, topic, tmp_path)
    state = store(spark, topics.bootstrap, topic, tmp_path)
    assert state.position.totals == Counts(read=10, stored=10)
