"""Kafka lost the end of its log, after a power loss or an unclean election, and filled it again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.waiting import wait_until
from events_stream.errors import CutUnknown
from events_stream.run import start as start_of_query
from events_stream.run.metrics import StreamMetrics
from events_stream.table.folder.commit import Commit
from events_stream.table.folder.log import read_state
from events_stream.table.position import Counts, Epoch
from events_stream.table.steps import Step
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

    @contextmanager
    def broker_away(self) -> Iterator[Path]:
        """Kill the broker, yield the folder of the partition, and start the broker again."""
        self.broker.kill()
        yield self.broker.folder / "data" / f"{self.topic}-0"
        self.broker.start()

    def cut(self, offset: int) -> list[bytes | None]:
        """Kill the broker, cut its log at `offset` and start it again; return what was cut."""
        with self.broker_away():
            return drop_records(self.broker.folder, self.topic, 0, offset)


@pytest.fixture
def cut_topic(mortal_broker: LocalBroker) -> CutTopic:
    """A new topic on a broker that may be killed."""
    return CutTopic(mortal_broker)


def forget_epochs(commit: Path) -> None:
    """Replace a commit by one that events-stream 3.1 would have written."""
    fields = json.loads(commit.read_text())
    new = ("leader_epochs", "cuts", "empty_offsets", "backlog")
    commit.write_text(json.dumps({k: v for k, v in fields.items() if k not in new} | {"format": 2}))


def ids(folder: Path) -> set[str]:
    """Return the ids of the stored events, each of which is stored once."""
    query = f"SELECT event_id FROM '{folder}/raw/**/*.parquet'"
    found = [row[0] for row in duckdb.execute(query).fetchall()]
    assert len(found) == len(set(found))
    return set(found)


def test_records_after_a_cut_are_stored(
    cut_topic: CutTopic, spark: SparkSession, tmp_path: Path
) -> None:
    """The stream goes on from the cut, and the log tells of it.

    A client that sends events again that were cut adds nothing. A table of an earlier version is
    watched from the first start on.
    """
    brokers, topic = cut_topic.broker.bootstrap, cut_topic.topic
    cut_topic.produce(100)
    assert store(spark, brokers, topic, tmp_path).position.leader_epochs.keys() == {0}
    forget_epochs(tmp_path / "raw.control/log/000000000000.json")
    assert store(spark, brokers, topic, tmp_path).position.leader_epochs.keys() == {0}
    again = cut_topic.cut(60)
    assert len(again) == 40
    cut_topic.produce(70)
    cut_topic.topics.produce(topic, again[:10])
    state = store(spark, brokers, topic, tmp_path)
    assert state.position.totals == Counts(read=180, stored=170, duplicates=10)
    assert state.position.next_offsets == {0: 140}
    (cut,) = state.position.cuts
    assert (cut.partition, cut.offset, cut.table_end) == (0, 60, 100)
    assert len(ids(tmp_path)) == 170


def test_an_older_replica_that_leads_again_is_noticed(
    cut_topic: CutTopic, spark: SparkSession, tmp_path: Path
) -> None:
    """It may be longer than the table, with other records at the same offsets."""
    brokers, topic = cut_topic.broker.bootstrap, cut_topic.topic
    cut_topic.produce(80)
    store(spark, brokers, topic, tmp_path)
    cut_topic.produce(40)
    with cut_topic.broker_away() as data:
        shutil.copytree(data, tmp_path / "replica")
        drop_records(cut_topic.broker.folder, topic, 0, 80)
    cut_topic.produce(20)
    assert store(spark, brokers, topic, tmp_path).position.next_offsets == {0: 100}
    with cut_topic.broker_away() as data:
        shutil.rmtree(data)
        shutil.copytree(tmp_path / "replica", data)
    state = store(spark, brokers, topic, tmp_path)
    assert state.position.totals == Counts(read=140, stored=140)
    assert [(cut.offset, cut.table_end) for cut in state.position.cuts] == [(80, 100)]
    assert state.position.next_offsets == {0: 120}


def act_at(step: Step, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Call `act` once, when the first batch reaches `step`."""
    reached, left = StreamMetrics.reached, [act]

    def watch(metrics: StreamMetrics, passed: Step) -> None:
        reached(metrics, passed)
        if passed is step and left:
            left.pop()()

    monkeypatch.setattr(StreamMetrics, "reached", watch)


def test_a_batch_whose_records_were_cut_meanwhile_is_not_stored(
    cut_topic: CutTopic, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partition has another leader, so the next query reads what Kafka has now."""
    cut_topic.produce(100)

    def cut_and_fill() -> None:
        cut_topic.cut(60)
        cut_topic.produce(80)

    act_at(Step.WRITTEN, monkeypatch, cut_and_fill)
    state = store(spark, cut_topic.broker.bootstrap, cut_topic.topic, tmp_path)
    assert (state.position.totals, state.position.cuts) == (Counts(read=140, stored=140), ())
    assert state.position.next_offsets == {0: 140}
    epochs = state.position.leader_epochs[0]
    assert [each.start for each in epochs] == [0, 60]
    assert epochs[0].epoch < epochs[1].epoch


def test_a_batch_that_can_no_longer_be_read_is_planned_again(
    cut_topic: CutTopic, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka cut off what Spark had planned to read."""
    brokers, topic = cut_topic.broker.bootstrap, cut_topic.topic
    cut_topic.produce(40)
    store(spark, brokers, topic, tmp_path)
    cut_topic.produce(60)
    act_at(Step.STAGED, monkeypatch, lambda: cut_topic.cut(20))
    state = store(spark, brokers, topic, tmp_path)
    assert (state.position.totals.read, state.position.next_offsets) == (40, {0: 20})
    assert [(cut.offset, cut.table_end) for cut in state.position.cuts] == [(20, 40)]


def test_a_cut_that_kafka_cannot_locate_is_refused(
    topics: Topics, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topic has no record of the leader epoch under which the table was read."""
    monkeypatch.setattr(start_of_query, "CUT_SECONDS", 0)
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(5))
    store(spark, topics.bootstrap, topic, tmp_path)
    path = tmp_path / "raw.control/log/000000000000.json"
    commit = Commit.model_validate_json(path.read_bytes())
    other = {"leader_epochs": {0: (Epoch(99, 0),)}}
    path.write_text(commit.model_copy(update=other).model_dump_json())
    with pytest.raises(CutUnknown, match=r"epoch 99, which Kafka does not know: .* new --target"):
        store(spark, topics.bootstrap, topic, tmp_path)


def test_a_cut_of_a_partition_that_was_added_is_found(
    cut_topic: CutTopic, spark: SparkSession, tmp_path: Path
) -> None:
    """Its leader may change although that of the other partitions stays."""
    log = tmp_path / "raw.control/log"
    cut_topic.produce(5)
    topics, topic = cut_topic.topics, cut_topic.topic
    with (
        LocalBroker(tmp_path / "second", joins=cut_topic.broker) as second,
        running(spark, cut_topic.broker.bootstrap, topic, tmp_path) as stream,
    ):
        wait_until(lambda: read_state(log).position.totals.stored == 5, "5 rows", seconds=DEADLINE)
        topics.add_partition_on(topic, second.node_id)
        for _ in range(5):
            topics.produce(topic, encoded(20), partition=1)
        wait_until(
            lambda: read_state(log).position.totals.stored == 105, "105 rows", seconds=DEADLINE
        )
        wait_until(
            lambda: 1 in read_state(log).position.leader_epochs, "its epoch", seconds=DEADLINE
        )
        second.kill()
        drop_records(second.folder, topic, 1, 60)
        second.start()
        for _ in range(4):
            topics.produce(topic, encoded(20), partition=1)
        wait_until(
            lambda: read_state(log).position.totals.stored == 185, "185 rows", seconds=DEADLINE
        )
        assert not stream.ended.done()
    assert [(cut.partition, cut.offset) for cut in read_state(log).position.cuts] == [(1, 60)]
