"""How often micro-batches start."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.waiting import wait_until
from events_stream.table.folder.log import read_state
from line_support.topics import Topics
from stream_support.envelopes import encoded
from stream_support.streaming import running

pytestmark = pytest.mark.extended

DEADLINE = 90.0


def test_a_backlog_is_stored_before_the_second_trigger(
    spark: SparkSession, topics: Topics, tmp_path: Path
) -> None:
    """While a batch has as many records as it may, the next one begins at once."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(35))
    log = tmp_path / "raw.control/log"
    with running(
        spark, topics.bootstrap, topic, tmp_path, trigger="10 hours", max_records_per_batch=10
    ):
        wait_until(
            lambda: read_state(log).position.totals.stored == 35, "35 rows", seconds=DEADLINE
        )
    assert read_state(log).number == 3


def test_without_a_backlog_a_batch_waits_for_its_trigger(
    spark: SparkSession, topics: Topics, tmp_path: Path
) -> None:
    """Records that arrive meanwhile are left to it, and stopping does not wait for it."""
    topic = topics.create(partitions=1)
    topics.produce(topic, encoded(1))
    log = tmp_path / "raw.control/log"
    with running(spark, topics.bootstrap, topic, tmp_path, trigger="10 hours") as stream:
        wait_until(
            lambda: read_state(log).position.totals.stored == 1, "the first row", seconds=DEADLINE
        )
        topics.produce(topic, encoded(4))
        lag = stream.stream.sink.metrics.registry.get_sample_value
        wait_until(lambda: lag("events_stream_lag_events") == 4, "the lag", seconds=DEADLINE)
        stream.stopping.set()
        stream.ended.result(DEADLINE)
    assert read_state(log).position.totals.stored == 1
