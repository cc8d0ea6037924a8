"""The stream closes erasures once none of their records can come, and then deletes the ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from events_stream import open_table
from events_stream.errors import CutUnknown
from events_stream.kafka.source import KafkaSource
from events_stream.kafka.topic import TopicNow
from events_stream.records.writer import RecordWriter
from events_stream.run import start as start_of_query
from events_stream.run.batch import BatchSink
from events_stream.run.erasures import close_erasures, cut_erasures, past_erasures
from events_stream.run.metrics import StreamMetrics
from events_stream.run.start import StartChooser
from events_stream.run.watchdog import Watchdog
from events_stream.table.erasure import Erasure
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.log import read_log
from events_stream.table.folder.open import open_beside_stream
from events_stream.table.folder.state import TableState
from events_stream.table.folder.table import Table
from events_stream.table.position import Counts
from line_support.topics import Topics
from stream_support.contracts import CONTRACT
from stream_support.envelopes import NOON, encoded, envelope
from stream_support.staged_change import SOURCE, store_batch, write_batch
from stream_support.streaming import store

SECOND = timedelta(seconds=1)
RECEIPT = Erasure(
    number=1, erased_at=NOON, topic_ends={0: 5, 1: 3}, on_kafka_until=None, finished=True
)


@pytest.mark.parametrize(
    ("receipt", "earliest", "complete", "closes"),
    [
        ({}, {0: 5, 1: 4}, NOON, True),
        ({}, {0: 5, 1: 2}, NOON, False),
        ({}, {0: 5, 1: 4}, NOON - SECOND, False),
        ({}, {0: 5, 1: 4}, None, False),
        ({"finished": False}, {0: 5, 1: 4}, NOON, False),
        ({"closed": True}, {0: 5, 1: 4}, NOON, False),
    ],
)
def test_an_erasure_is_closed_once_none_of_its_records_can_come(
    receipt: dict[str, bool], earliest: dict[int, int], complete: datetime | None, closes: bool
) -> None:
    """It is finished, Kafka has no earlier record, and what was on the way then was read."""
    state = TableState(erasures=(RECEIPT.model_copy(update=receipt),))
    topic = TopicNow(SOURCE, earliest=earliest, latest=earliest, leaders={})
    closed = (RECEIPT.model_copy(update=receipt).close(),)
    assert past_erasures(state, topic, complete) == (closed if closes else ())


def erase(
    table: Table, at: datetime, user: int, ends: dict[int, int], **fields: dict[int, int]
) -> Path:
    """Store the receipt of an erasure that has nothing left to do; return the file of the ids."""
    with table.change(CommitKind.ERASURE) as change:
        number = change.state.number + 1
        receipt = {"number": number, "erased_at": at, "topic_ends": ends, **fields}
        change.erasures = (RECEIPT.model_copy(update=receipt),)
        table.erased.add(change.state, number, frozenset({user}))
    return table.paths.control / "erased.json"


@contextmanager
def open_sink(folder: Path) -> Iterator[BatchSink]:
    """Open the table, and yield a sink that asks neither Kafka nor Spark."""
    nobody: Any = None
    with open_table(str(folder / "raw")) as table:
        writer = RecordWriter(table, timedelta(), CONTRACT)
        yield BatchSink(writer, nobody, nobody, StreamMetrics(), ack_timeout=10 * SECOND)


@pytest.mark.parametrize(
    ("complete_after", "latest", "closes"), [(0, 1, True), (-1, 1, False), (3600, 2, False)]
)
def test_an_idle_stream_closes_it_in_a_commit(
    tmp_path: Path, complete_after: int, latest: int, closes: bool
) -> None:
    """It waits for what may still be on its way, and for what is not read yet."""
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
        ids = erase(table, NOON, 7, {0: 1})
    topic = TopicNow(SOURCE, earliest={0: 1}, latest={0: latest}, leaders={})
    with open_table(str(tmp_path / "raw")) as table:
        close_erasures(table, topic, NOON + complete_after * SECOND)
    log = read_log(tmp_path / "raw.control/log")
    assert [each.closed for each in log.state.erasures] == [closes]
    assert (log.state.number, ids.exists()) == ((2, False) if closes else (1, True))
    assert log.last is not None
    assert log.last.kind is CommitKind.ERASURE


def test_an_erasure_of_another_process_is_closed_too(tmp_path: Path) -> None:
    """The command begins and finishes it while the stream has the table open."""
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
    topic = TopicNow(SOURCE, earliest={0: 1}, latest={0: 1}, leaders={})
    with open_table(str(tmp_path / "raw")) as table:
        ids = erase(open_beside_stream(str(tmp_path / "raw")), NOON, 7, {0: 1})
        close_erasures(table, topic, NOON)
    assert not ids.exists()


@pytest.mark.parametrize("leaders", [{0: 3, 1: 9}, {1: 2}, {}])
def test_without_a_new_leader_kafka_is_not_asked(tmp_path: Path, leaders: dict[int, int]) -> None:
    """Nothing is cut then; nor is an end asked for that the table has reached."""
    nobody: Any = None
    source = KafkaSource(nobody, "localhost:9", "events", max_records_per_batch=1)
    with open_table(str(tmp_path / "raw")) as table:
        with table.change(CommitKind.BATCH) as change:
            write_batch(change)
            change.after = {0: 1, 1: 5}
        erase(table, NOON, 7, {0: 9, 1: 5}, leader_epochs={0: 3, 1: 2})
        cut_erasures(table, source, TopicNow(SOURCE, earliest={}, latest={}, leaders=leaders))
        assert [each.topic_ends for each in table.state.erasures] == [{0: 9, 1: 5}]


def test_an_older_leader_is_refused(tmp_path: Path) -> None:
    """An old copy of Kafka's log has other records than those of the erasure."""
    nobody: Any = None
    source = KafkaSource(nobody, "localhost:9", "events", max_records_per_batch=1)
    with open_table(str(tmp_path / "raw")) as table:
        store_batch(table)
        erase(table, NOON, 7, {0: 7}, leader_epochs={0: 3})
        topic = TopicNow(SOURCE, earliest={0: 0}, latest={0: 2}, leaders={0: 2})
        with pytest.raises(
            CutUnknown, match=r"offset 7 under leader epoch 3, .*; erase the same users"
        ):
            cut_erasures(table, source, topic)


def test_a_broker_that_has_not_heard_of_the_new_leader_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream starts once Kafka answers with the leader of the erasure."""
    nobody: Any = None
    source = KafkaSource(nobody, "localhost:9", "events", max_records_per_batch=1)
    ends = {0: 1}
    looks = [TopicNow(SOURCE, earliest=ends, latest=ends, leaders={0: n}) for n in (2, 3)]
    monkeypatch.setattr(source, "look", lambda: looks.pop(0))
    monkeypatch.setattr(start_of_query, "beating", lambda *_: nullcontext())
    with open_sink(tmp_path) as sink:
        store_batch(sink.table)
        erase(sink.table, NOON, 7, {0: 7}, leader_epochs={0: 3})
        assert StartChooser(source, sink, Watchdog(60)).choose().offsets == {0: 1}
    assert not looks


@pytest.mark.extended
def test_an_erasure_stays_open_until_what_was_on_the_way_is_read(
    spark: SparkSession, topics: Topics, tmp_path: Path
) -> None:
    """A record received before, and written after, is dropped by the batch that closes it."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(2))
    store(spark, topics.bootstrap, topic, tmp_path)
    erased_at = datetime.now(UTC)
    ids = erase(open_beside_stream(str(tmp_path / "raw")), erased_at, 7, {0: 2})
    topics.delete_records(topic, partition=0, before=2)
    before = store(spark, topics.bootstrap, topic, tmp_path, ack_timeout=3600)
    assert ids.exists()
    late = envelope().model_copy(update={"user_id": 7, "received_time": erased_at - SECOND})
    topics.produce(topic, [CONTRACT.encode(late), *encoded(1)])
    state = store(spark, topics.bootstrap, topic, tmp_path, ack_timeout=0.1)
    assert state.position.totals == Counts(read=4, stored=3, erased=1)
    assert state.number == before.number + 1  # the batch
    assert [each.closed for each in state.erasures] == [True]
    assert not ids.exists()
