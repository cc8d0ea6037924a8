"""Tests of the stream as a process: killed, stopped, and without Kafka."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psutil
import pyarrow.dataset
import pytest

from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.waiting import wait_until
from line_support.topics import Topics
from stream_support.stream_process import DEADLINE, start_stream, stored, values, wait_for_rows

pytestmark = pytest.mark.extended


@contextmanager
def producing(topics: Topics, topic: str) -> Iterator[list[int]]:
    """Write batches of events in the background; yield the sizes of the acknowledged ones."""
    written: list[int] = []
    enough = threading.Event()

    def produce() -> None:
        while not enough.wait(0.3):  # a load that the stream can keep up with
            topics.produce(topic, values(200))
            written.append(200)

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield written
    finally:
        enough.set()
        thread.join()


@pytest.mark.core
def test_a_killed_stream_loses_and_duplicates_nothing(topics: Topics, tmp_path: Path) -> None:
    """After kill -9 at random moments, readers see only complete files, and finally all events.

    The last stream gets Ctrl-C in all of its processes: it exits with 0 and leaves none.
    """
    topic = topics.create()
    with producing(topics, topic) as written:
        for attempt in range(2):
            stream = start_stream(topics.bootstrap, topic, tmp_path, log=f"stream-{attempt}")
            try:
                wait_for_rows(tmp_path, stored(tmp_path) + 1, stream)
                time.sleep(secrets.randbelow(1500) / 1000)  # a random moment to die at
            finally:
                stream.kill()
            whole = pyarrow.dataset.dataset(tmp_path / "raw", partitioning="hive").count_rows()
            assert whole == stored(tmp_path)
    with start_stream(topics.bootstrap, topic, tmp_path, log="last") as stream:
        wait_for_rows(tmp_path, sum(written), stream)
        children = psutil.Process(stream.pid).children(recursive=True)
        assert children
        os.killpg(stream.pid, signal.SIGINT)
        stream.wait(seconds=DEADLINE)
        _, alive = psutil.wait_procs(children, timeout=DEADLINE)
        assert alive == []
    query = f"SELECT count(*), count(DISTINCT event_id) FROM '{tmp_path}/raw/**/*.parquet'"
    assert duckdb.execute(query).fetchone() == (sum(written), sum(written))


def test_a_signal_during_the_start_ends_the_stream_in_order(topics: Topics, tmp_path: Path) -> None:
    """SIGTERM stops the stream with exit code 0 before its query has started."""
    topic = topics.create()
    with start_stream(topics.bootstrap, topic, tmp_path) as stream:
        wait_until((tmp_path / "raw.control").exists, "the start", seconds=DEADLINE)
        time.sleep(secrets.randbelow(4000) / 1000)  # somewhere in the start of Spark
        os.kill(stream.pid, signal.SIGTERM)
        stream.wait(seconds=DEADLINE)


def test_the_stream_survives_a_short_absence_of_kafka_only(tmp_path: Path) -> None:
    """The stream stores events after a short absence, and exits after the timeout."""
    with LocalBroker(tmp_path / "kafka") as broker:
        topics = Topics(broker.bootstrap)
        topic = topics.create()
        topics.produce(topic, values(5))
        flags = ("--broker-timeout", "30")
        with start_stream(broker.bootstrap, topic, tmp_path, *flags) as stream:
            wait_for_rows(tmp_path, 5, stream)
            broker.kill()
            wait_until(
                lambda: "kafka is unavailable" in stream.log.read_text(),
                "the log entry",
                seconds=DEADLINE,
            )
            broker.start()
            topics.produce(topic, values(5))
            wait_for_rows(tmp_path, 10, stream)
            broker.kill()
            wait_until(lambda: stream.exit_code is not None, "the end", seconds=DEADLINE)
            assert stream.exit_code == 4
            assert "gave up after 30 s" in stream.last_lines()
