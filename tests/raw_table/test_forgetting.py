"""After an erasure, no file of the line holds the person; compaction changes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import events_analytics
from events_analytics.check.verification import verify
from events_schema import Contract, DecodeError
from events_stream.commands.failed_of_users import FailedOfUsers
from events_stream.table.folder.compaction import compact, find_small_files
from events_stream.table.folder.eraser import Eraser, OnKafka
from events_stream.table.folder.open import open_for_maintenance
from events_stream.table.position import Counts
from line_support.topics import Topics
from stream_support.contracts import PRICED, SHOP
from stream_support.envelopes import envelope
from stream_support.streaming import store

pytestmark = pytest.mark.extended

PERSON, OTHER = 77, 78
NOW = datetime(2026, 2, 1, tzinfo=UTC)


def event(user: int, contract: Contract[Any] = PRICED, **fields: Any) -> bytes:
    """Return a record of `user`, received now."""
    given = dict(envelope(contract=contract)) | {"user_id": user}
    received = {"received_time": datetime.now(UTC)}
    return contract.encode(contract.envelope.model_validate(given | received | fields))


def found(folder: Path) -> Counter[int]:
    """Count the rows and failed events of each user in all parquet files below `folder`."""
    users: Counter[int] = Counter()
    for path in folder.rglob("*.parquet"):
        rows = pq.ParquetFile(path).read()
        if "user_id" in rows.column_names:
            users.update(user for user in rows.column("user_id").to_pylist() if user)
        values: list[Any] = (
            rows.column("value").to_pylist() if "headers" in rows.column_names else []
        )
        for value in values:
            try:
                users[PRICED.decode(value.replace(b"ba\0d", b"ba d")).user_id] += 1
            except DecodeError:
                continue
    return users


def test_no_file_of_the_line_holds_an_erased_person(
    spark: SparkSession, topics: Topics, tmp_path: Path
) -> None:
    """Not the raw table, the failed events, the control folder, or a version of the result."""
    topic, target, enriched = topics.create(partitions=1), tmp_path / "raw", tmp_path / "enriched"
    days = [NOW - timedelta(days=n, hours=1) for n in range(3)]
    for contract in (SHOP, PRICED):
        for user in (PERSON, OTHER):
            invalid = event(user, app_name="ba d").replace(b"ba d", b"ba\0d")
            topics.produce(
                topic, [*(event(user, contract, event_time=day) for day in days), invalid]
            )
        store(spark, topics.bootstrap, topic, tmp_path, contract=contract)
        events_analytics.run(spark, PRICED, target, enriched, NOW)
    before = verify(str(enriched), PRICED)

    with open_for_maintenance(str(target), "compact") as table:
        done = list(compact(table, find_small_files(table, NOW.date())))
    assert [(len(each.before.part.files), each.files) for each in done] == [(2, 1)] * 4
    assert verify(str(enriched), PRICED).users == before.users  # the rows are the same
    assert found(tmp_path)[PERSON] > 0

    topics.produce(topic, [event(PERSON), event(OTHER)])
    with open_for_maintenance(str(target), "erase") as table:
        users, kafka = frozenset({PERSON}), OnKafka(topics.ends(topic), {}, timedelta(days=7))
        failed = FailedOfUsers(spark, PRICED, users, table.paths.rewriting / "named")
        receipt = Eraser(table, users, failed.name).erase(lambda: kafka)
    assert (receipt.rows, receipt.failed) == (6, 2)
    state = store(spark, topics.bootstrap, topic, tmp_path, contract=PRICED)
    assert state.position.totals == Counts(read=18, stored=13, failed=4, erased=1)
    with pytest.raises(events_analytics.errors.SourceRewritten):
        verify(str(enriched), PRICED)

    events_analytics.run(spark, PRICED, target, enriched, NOW, keep_versions=0)
    assert verify(str(enriched), PRICED).raw_files == 4
    people = found(tmp_path)
    assert people[PERSON] == 0
    assert people[OTHER] == 7 + 2 + 7  # rows, failed events, and rows of the result
