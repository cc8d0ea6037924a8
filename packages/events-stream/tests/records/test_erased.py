"""Records of erased users are dropped if they were received before the erasure, and counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from events_schema.spark import spark_schema
from events_stream import open_table
from events_stream.commands.replay import replay
from events_stream.records.decode import events, failed_events
from events_stream.records.erased import is_erased
from events_stream.records.writer import RecordWriter
from events_stream.table.erasure import Erasure
from events_stream.table.folder.commit import CommitKind
from events_stream.table.position import Counts, Offsets
from stream_support.contracts import AWKWARD, CONTRACT
from stream_support.envelopes import NOON, envelope
from stream_support.real_files import failed_values, store_events

SECOND = timedelta(seconds=1)
Users = Mapping[int, frozenset[int]]


class Record(NamedTuple):
    """A decoded record, as far as an erasure cares; `user` is None if it did not decode."""

    partition: int
    offset: int
    written: datetime
    received: datetime | None
    user: int | None
    reason: str | None


TIMES = [NOON - SECOND, NOON, NOON + SECOND]
CLOCKS = [(written, received) for written in TIMES for received in (None, *TIMES)]
"""When a record was written and received; it need not say when it was received."""
WHOSE = [*product((1, 2, -1), (None, "outside_contract")), (None, "unreadable_body")]
RECORDS = [
    Record(partition, offset, *clocks, *whose)
    for partition, offset, clocks, whose in product(range(3), range(4), CLOCKS, WHOSE)
]


def is_dropped(record: Record, erasures: list[Erasure], users: Users) -> bool:
    """Return whether the record was received before one of the erasures of its user."""
    of_user = [each for each in erasures if record.user in users[each.number]]
    return any(
        record.offset < each.topic_ends.get(record.partition, 0)
        or (record.received or record.written) < each.erased_at
        for each in of_user
    )


def decoded(spark: SparkSession, records: list[Record]) -> DataFrame:
    """Return the records as the decoder returns them, with own fields of many names.

    Each has its number as key, and if it decoded, as event_id.
    """
    row = dict(AWKWARD.stored.from_envelope(envelope(contract=AWKWARD)))
    rows = []
    for number, each in enumerate(map(Record._asdict, records)):
        own = {"event_id": str(number), "user_id": each["user"], "received_time": each["received"]}
        event = tuple({**row, **own}.values()) if each["user"] else None
        place = ("t", each["partition"], each["offset"], each["written"])
        rows.append((*place, str(number).encode(), None, b"value", event, each["reason"]))
    event_type = spark_schema(AWKWARD.stored).simpleString()
    return spark.createDataFrame(
        rows,
        "topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, key BINARY, "
        "headers ARRAY<STRUCT<key: STRING, value: BINARY>>, value BINARY, "
        f"event {event_type}, reason STRING",
    )


@pytest.fixture(scope="module")
def every(spark: SparkSession) -> DataFrame:
    """All `RECORDS`, decoded."""
    return decoded(spark, RECORDS).cache()


OFFSETS = st.dictionaries(st.integers(0, 2), st.integers(0, 4))
ERASURES = st.lists(
    st.builds(
        Erasure,
        number=st.integers(1, 99),
        erased_at=st.sampled_from(TIMES),
        topic_ends=OFFSETS,
        on_kafka_until=st.none(),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda erasure: erasure.number,
)


CROSSING = [
    Erasure(number=n, erased_at=time, topic_ends=ends, on_kafka_until=None)
    for n, (time, ends) in enumerate(zip(TIMES, [{0: 1, 1: 4}, {0: 3, 1: 2}], strict=False))
]
"""Erasures each of which ends later than the other, in a different partition."""


@settings(max_examples=4, suppress_health_check=list(HealthCheck), deadline=None)
@example(erasures=CROSSING, who=[frozenset({1})] * 3, start={})
@given(
    erasures=ERASURES,
    who=st.lists(st.frozensets(st.sampled_from([1, 2, -1]), min_size=1), min_size=3, max_size=3),
    start=OFFSETS,
)
def test_what_was_received_before_is_dropped_and_counted(
    every: DataFrame, erasures: list[Erasure], who: list[frozenset[int]], start: Offsets
) -> None:
    """Spark drops exactly the records that the definition names, events and failed ones alike."""
    users = {each.number: ids for each, ids in zip(erasures, who, strict=False)}
    read = {
        n: each for n, each in enumerate(RECORDS) if each.offset >= start.get(each.partition, 0)
    }
    kept = {n: each for n, each in read.items() if not is_dropped(each, erasures, users)}
    failed = {n for n, each in kept.items() if each.reason}

    condition = is_erased(erasures, users, start)
    frame, seen = every.where(F.col("key").cast("string").isin([*map(str, read)])), Observation()
    stored = events(frame, seen, (), condition).select("event_id").collect()
    not_valid = failed_events(frame, Observation(), condition).select("key").collect()
    assert {int(row["event_id"]) for row in stored} == kept.keys() - failed
    assert {int(row["key"]) for row in not_valid} == failed
    assert seen.get == {
        "read": len(read),
        "failed": len(failed),
        "erased": len(read) - len(kept),
    }


def test_without_an_open_erasure_nothing_is_asked() -> None:
    """The plan of the stream stays the same."""
    assert is_erased([], {}, {}) is None


def test_a_replay_drops_what_was_read_before(spark: SparkSession, tmp_path: Path) -> None:
    """The failed events have offsets that no batch reads again; later ones are stored."""
    receipt = Erasure(
        number=1, erased_at=NOON - SECOND, topic_ends={0: 2}, on_kafka_until=None, finished=True
    )
    valid = CONTRACT.encode(envelope())
    with open_table(str(tmp_path / "raw")) as table:
        invalid = valid.replace(b"shop", b"s\0op")
        store_events(table, [], [valid, invalid, valid, b"garbage"])
        with table.change(CommitKind.ERASURE) as change:
            change.erasures = (receipt,)
            table.erased.add(change.state, receipt.number, frozenset({1}))
        counts = replay(spark, RecordWriter(table, timedelta(), CONTRACT), apply=True)
        assert counts == Counts(read=4, stored=1, failed=1, erased=2)
        assert table.state.position.totals == counts
    assert failed_values(tmp_path / "raw.failed") == {b"garbage": 1}


@pytest.fixture
def compiling(spark: SparkSession) -> Iterator[None]:
    """Let Spark fail if it cannot compile a query, instead of running it far more slowly."""
    spark.conf.set("spark.sql.codegen.fallback", "false")
    yield
    spark.conf.unset("spark.sql.codegen.fallback")


@pytest.mark.extended
@pytest.mark.usefixtures("compiling")
def test_spark_compiles_the_condition_for_a_thousand_erasures(spark: SparkSession) -> None:
    """It stays short, also if none of their records was read yet."""
    erasures = [
        Erasure(number=n, erased_at=NOON, topic_ends=ends, on_kafka_until=None)
        for n in range(1000)
        for ends in [{**dict.fromkeys(range(48), 2), 0: n}]
    ]
    users = {n: frozenset(range(3 * n + 1, 3 * n + 4)) for n in range(1000)}
    records = [Record(47, 1, NOON, NOON, 2999, None), Record(47, 2, NOON, NOON, 2999, None)]
    for start in (dict.fromkeys(range(48), 2), {}):
        condition = is_erased(erasures, users, start)
        rows = events(decoded(spark, records), Observation(), (), condition).collect()
        assert len(rows) == (2 if start else 1)
