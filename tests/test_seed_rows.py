"""Tests that the whole line stores and enriches the sample rows of the seed project's README."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pyarrow.parquet
import pytest
from pyspark.sql import SparkSession

import events_analytics
from events_analytics.check.display import read_published, show
from events_analytics.check.verification import verify
from events_ingest import CollectorServer, ServeSettings
from events_loadgen import post_events
from events_schema import Contract, Event, StoredEvent
from line_support.topics import Topics
from stream_support.streaming import store

CONTRACT = Contract(Event)
KEPT = Path(__file__).with_name("kept")
SAMPLE = """\
2020-11-09 08:51:30.128801|1      |product_3|scroll      |category_3    |12
2020-11-09 08:51:30.180028|1      |product_1|scroll      |category_2    |null
2020-11-09 08:51:30.396411|3      |product_1|button_click|category_2    |null
2020-11-09 08:51:30.63611 |4      |product_2|page_view   |category_2    |12
2020-11-09 08:51:32.144393|2      |product_2|scroll      |category_2    |37
2020-11-09 08:51:32.196655|2      |product_2|button_click|category_3    |null
2020-11-09 08:51:32.416766|3      |product_1|scroll      |category_1    |12
2020-11-09 08:51:32.656561|4      |product_1|button_click|category_1    |null
2020-11-09 08:51:34.164493|2      |product_3|button_click|category_3    |54
2020-11-09 08:51:34.216541|3      |product_1|button_click|category_2    |null
2020-11-09 08:51:34.436065|6      |product_1|button_click|category_1    |12
2020-11-09 08:51:34.67622 |5      |product_3|null        |category_2    |null
2020-11-09 08:51:36.18165 |6      |product_3|scroll      |category_1    |54
2020-11-09 08:51:36.236815|6      |product_1|button_click|category_2    |54
2020-11-09 08:51:36.451145|2      |product_1|button_click|category_3    |null
2020-11-09 08:51:36.696168|2      |product_3|button_click|category_1    |5
"""
"""The seed project's raw rows: time (UTC), user, product, action, category, value."""
SCHEMA = """\
root
 |-- event_time: timestamp (nullable = true)
 |-- user_id: integer (nullable = true)
 |-- app_name: string (nullable = true)
 |-- event_action: string (nullable = true)
 |-- event_category: string (nullable = true)
 |-- event_value: integer (nullable = true)
 |-- u_count: long (nullable = true)
 |-- u_mp_ea: string (nullable = true)
"""
"""The schema that the seed project's check prints."""
PROCESSING_TIME = datetime(2020, 11, 9, 10, tzinfo=UTC)
"""Within three hours after every row, so that `u_count` counts all of them."""
TOKEN = "a key"
TEN_YEARS = 10 * 365 * 86_400  # in seconds


def test_the_seeds_sample_rows_come_out_as_its_check_shows_them(
    spark: SparkSession, topics: Topics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` prints every sample row as posted, its metrics, and the seed project's schema.

    The files have the same schema as before contracts could have own fields.
    """
    rows = [stored(number, line) for number, line in enumerate(SAMPLE.splitlines())]
    topic = topics.create()
    post(rows, topics.bootstrap, topic)
    store(spark, topics.bootstrap, topic, tmp_path)
    events_analytics.run(spark, CONTRACT, tmp_path / "raw", tmp_path / "enriched", PROCESSING_TIME)
    for name in ("raw", "enriched"):
        assert parquet_schema(tmp_path / name) == (KEPT / f"{name}_parquet.txt").read_text()
    show(read_published(spark, verify(str(tmp_path / "enriched"), CONTRACT).files))
    table, _, schema = capsys.readouterr().out.partition("Rows in the result dataset: 16\n")
    shown = [cells(line.strip("|")) for line in table.splitlines() if "|2020-" in line]
    posted = zip(SAMPLE.splitlines(), CONTRACT.enrich(rows, PROCESSING_TIME), strict=True)
    assert schema.splitlines() == [*SCHEMA.splitlines(), ""]
    assert sorted(shown) == sorted(
        cells(f"{line}|{event.u_count}|{event.u_mp_ea or 'null'}") for line, event in posted
    )


def parquet_schema(table: Path) -> str:
    """Return how a table's file stores its columns, in the format of the files in `tests/kept`."""
    schema = pyarrow.parquet.ParquetFile(next(table.rglob("*.parquet"))).schema
    columns = [schema.column(number) for number in range(len(schema.names))]
    return "".join(
        f"{each.path} {each.physical_type} {each.logical_type} "
        f"optional={each.max_definition_level}\n"
        for each in columns
    )


def cells(line: str) -> list[str]:
    """Return the cells of a row as the seed project and Spark print it."""
    return [cell.strip().replace("NULL", "null") for cell in line.split("|")]


def stored(number: int, line: str) -> StoredEvent:
    """Return a sample row as the stream stores it."""
    time, user, product, action, category, value = cells(line)
    return StoredEvent(
        event_time=datetime.fromisoformat(time).replace(tzinfo=UTC),
        user_id=int(user),
        app_name=product,
        event_action=None if action == "null" else action,
        event_category=category,
        event_value=None if value == "null" else int(value),
        event_id=str(UUID(int=number)),
        received_time=PROCESSING_TIME,
    )


def post(rows: Sequence[StoredEvent], brokers: str, topic: str) -> None:
    """Post the rows over HTTP; the collector must acknowledge each."""
    events = [
        row.model_dump(mode="json", exclude={"received_time"}, exclude_none=True) for row in rows
    ]
    settings = ServeSettings(
        brokers=brokers, topic=topic, port=0, token=TOKEN, event_time_back=TEN_YEARS
    )
    with CollectorServer(settings).in_thread() as url:
        report = asyncio.run(post_events(events, url=url, token=TOKEN))
    assert report.acknowledged == len(rows)
