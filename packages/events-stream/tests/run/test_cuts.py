"""Kafka lost the end of its log, after a power loss or an unclean election, and filled it again."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.waiting import wait_until
from events_stream.table.folder.log import read_state
from events_stream.table.position import Counts
from line_support.dropped_records import drop_records
from line_support.topics import Topics
from stream_support.envelopes import encoded
from stream_support.streaming import running, store

pytestmark = pytest.mark.extended

DEADLINE = 90.0


class CutTopic:
    """A topic with one partition, on a broker that loses the end of its log."""

    def __init__(self, broker: LocalBroker) -> None:
        self.broker = broker
        self.topics = Topics(broker.bootstrap)
        self.topic = self.topics.create(partitions=1)

    def produce(self, count: int) -> list[bytes]:
        """Write `count` new events, in record batches of at most 20; return them."""
        events = encoded(count)
        for first in range(0, count, 20):
            self.topics.produce(self.topic, events[first : first + 20])
        return events

    def cut(self, offset: int) -> list[bytes | None]:
        """Kill the broker, cut its log at `offset` and start it again; return what was cut."""
        self.broker.kill()
        lost = drop_records(self.broker.folder, self.topic, 0, offset)
        self.broker.start()
        return lost


@pytest.fixture
def cut_topic(mortal_broker: LocalBroker) -> CutTopic:
    """A new topic on a broker that may be killed."""
    return CutTopic(mortal_broker)


def ids(folder: Path) -> set[str]:
    """Return the ids of the stored events, each of which is stored once."""
    query = f"SELECT event_id FROM '{folder}/raw/**/*.parquet'"
    found = [row[0] for row in duckdb.execute(query).fetchall()]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("refilled", [20, 80])
def test_records_after_a_cut_are_stored(
    cut_topic: CutTopic, spark: SparkSession, tmp_path: Path, refilled: int
) -> None:
    """The stream goes on from the cut, and the log tells of it, whatever the topic's length now."""
    brokers, topic = cut_topic.broker.bootstrap, cut_topic.topic
    cut_topic.produce(100)
    assert store(spark, brokers, topic, tmp_path).epochs.keys() == {0}
    assert len(cut_topic.cut(60)) == 40
    cut_topic.produce(refilled)
    state = store(spark, brokers, topic, tmp_path)
    assert state.totals == Counts(read=100 + refilled, stored=100 + refilled)
    assert state.next_offsets == {0: 60 + refilled}
    (cut,) = state.cuts
    assert (cut.partition, cut.offset, cut.table_end) == (0, 60, 100)
    assert len(ids(tmp_path)) == 100 + refilled
    cut_topic.produce(5)
    assert len(store(spark, brokers, topic, tmp_path).cuts) == 1


def test_copies_of_stored_events_after_a_cut_are_dropped(
    cut_topic: CutTopic, spark: SparkSession, tmp_path: Path
) -> None:
    """A client that sends the events that were cut once more adds nothing."""
    brokers, topic = cut_topic.broker.bootstrap, cut_topic.topic
    cut_topic.produce(40)
    store(spark, brokers, topic, tmp_path)
    again = cut_topic.cut(20)
    cut_topic.topics.produce(topic, again)
    state = store(spark, brokers, topic, tmp_path)
    assert state.totals == Counts(read=60, stored=40, duplicates=20)


def test_a_running_stream_notices_a_cut(
    cut_topic: CutTopic, spark: SparkSession, tmp_path: Path
) -> None:
    """It stores the new records although it was idle while Kafka was away."""
    log = tmp_path / "raw.control/log"
    cut_topic.produce(100)
    with running(spark, cut_topic.broker.bootstrap, cut_topic.topic, tmp_path) as stream:
        wait_until(lambda: read_state(log).totals.stored == 100, "100 rows", seconds=DEADLINE)
        cut_topic.cut(60)
        cut_topic.produce(80)
        wait_until(lambda: read_state(log).totals.stored == 180, "180 rows", seconds=DEADLINE)
        assert not stream.ended.done()
    assert [(cut.offset, cut.table_end) for cut in read_state(log).cuts] == [(60, 100)]
    assert len(ids(tmp_path)) == 180
