"""Tests of the SQL in docs/how-to/web-pages.md for events that are stored twice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import duckdb
from pyspark.sql import SparkSession

from events_schema import Contract, Event, EventEnvelope
from line_support.topics import Topics
from stream_support.streaming import store

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "web-pages.md"
CONTRACT = Contract(Event)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_its_sql_finds_what_the_window_cannot_cover(
    spark: SparkSession, topics: Topics, tmp_path: Path
) -> None:
    """The SQL finds an event that came again after the de-duplication window, and reads it once."""
    topic, once, twice = topics.create(1), str(uuid4()), str(uuid4())
    soon, late = NOON + timedelta(minutes=59), NOON + timedelta(days=2)
    for received in [(once, NOON), (twice, NOON)], [(once, soon)], [(twice, late)]:
        topics.produce(topic, [CONTRACT.encode(_envelope(*each)) for each in received])
        store(spark, topics.bootstrap, topic, tmp_path)
    find, read = re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(_of(find, tmp_path)).fetchall()
        rows = connection.sql(_of(read, tmp_path))
        at = rows.columns.index("event_id")
        ids = sorted(row[at] for row in rows.fetchall())
    assert [(each[0], each[1], *map(_utc, each[2:])) for each in found] == [(twice, 2, NOON, late)]
    assert ids == sorted([once, twice])


def _of(sql: str, folder: Path) -> str:
    assert "'/data/raw/" in sql
    return sql.replace("/data/raw/", f"{folder}/raw/")


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _envelope(event_id: str, received_time: datetime) -> EventEnvelope:
    return EventEnvelope(
        event_id=event_id,
        received_time=received_time,
        event_time=NOON,
        user_id=1,
        app_name="shop",
        event_category="page",
    )
