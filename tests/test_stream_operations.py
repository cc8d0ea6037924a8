"""Tests of the stream in operation: its metrics and status, and how it ends on errors."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import httpx
import psutil
import pytest
from pyspark.sql import SparkSession

from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.ports import free_port
from events_loadgen.processes.waiting import wait_until
from events_schema.runtime.locks import exclusive_lock
from line_support import widowed_stream
from line_support.topics import Topics
from stream_support.contracts import CONTRACT
from stream_support.envelopes import envelope
from stream_support.quick_start import quick_start
from stream_support.stream_process import DEADLINE, start_stream, values, wait_for_rows
from stream_support.streaming import store

pytestmark = pytest.mark.extended


def java_of(stream: ChildProcess) -> psutil.Process:
    """Return the stream's Java process."""
    (java,) = (
        each
        for each in psutil.Process(stream.pid).children(recursive=True)
        if "java" in each.name()
    )
    return java


def metrics(port: int) -> list[str]:
    """Return the lines of the stream's metrics."""
    return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text.splitlines()


def assert_ends(stream: ChildProcess, code: int, said: str) -> None:
    """Wait until the stream exits; check its exit code and its last line."""
    wait_until(lambda: stream.exit_code is not None, "the stream to exit", seconds=DEADLINE)
    last = stream.last_lines().splitlines()[-1]
    assert (stream.exit_code, last.startswith("events-stream: ")) == (code, True), last
    assert said in last


def assert_stored_once(folder: Path, count: int) -> None:
    """Check that the table has `count` different events, each once."""
    query = f"SELECT count(*), count(DISTINCT event_id) FROM '{folder}/raw/**/*.parquet'"
    assert duckdb.execute(query).fetchone() == (count, count)


def test_a_java_process_that_hangs_ends_the_stream(topics: Topics, tmp_path: Path) -> None:
    """If Java hangs, the stream exits with 6 and kills Java."""
    topic = topics.create()
    topics.produce(topic, values(5))
    with start_stream(topics.bootstrap, topic, tmp_path, "--stall-timeout", "30") as stream:
        wait_for_rows(tmp_path, 5, stream)
        java = java_of(stream)
        java.suspend()
        assert_ends(stream, 6, "no progress for 30 s")
        assert not java.is_running() or java.status() == psutil.STATUS_ZOMBIE


def test_a_java_process_that_dies_ends_the_stream(
    spark: SparkSession, topics: Topics, tmp_path: Path
) -> None:
    """If Java dies during a batch, the stream exits with 6, and the next one stores the batch."""
    topic = topics.create()
    topics.produce(topic, values(5))
    widowed = [str(widowed_stream.__file__)]
    with start_stream(topics.bootstrap, topic, tmp_path, program=widowed) as stream:
        assert_ends(stream, 6, "Java process has ended")
    store(spark, topics.bootstrap, topic, tmp_path)
    assert_stored_once(tmp_path, 5)


def command(folder: Path, *words: str) -> str:
    """Run a command of events-stream on the table in `folder`; return what it prints."""
    run = [sys.executable, "-m", "events_stream", *words, "--target", str(folder / "raw")]
    done = subprocess.run(run, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    return done.stdout


def test_commands_change_the_table_beside_a_running_stream(topics: Topics, tmp_path: Path) -> None:
    """The stream keeps storing each event once and keeps serving its metrics."""
    topic, port = topics.create(), free_port()
    topics.produce(
        topic,
        [*values(5), CONTRACT.encode(envelope(event_time=datetime(2001, 1, 1, tzinfo=UTC)))],
    )
    topics.produce(topic, [b"garbage"])
    with start_stream(topics.bootstrap, topic, tmp_path, "--metrics-port", str(port)) as stream:
        wait_for_rows(tmp_path, 6, stream)
        assert "2001-01-01" in command(tmp_path, "expire", "--before", "2001-01-02", "--apply")
        assert_stored_once(tmp_path, 5)
        topics.produce(topic, values(5))
        wait_for_rows(tmp_path, 10, stream)
        said = command(tmp_path, "replay-failed", "--apply", *quick_start(topics.bootstrap))
        assert said.startswith("of 1 failed events, 0 are stored now, 0 are copies")
        topics.produce(topic, values(5))
        wait_for_rows(tmp_path, 15, stream)
        served = 'events_stream_records_total{outcome="stored"} 16.0'
        wait_until(lambda: served in metrics(port), "metrics", seconds=DEADLINE)
    assert_stored_once(tmp_path, 15)
    assert "1 kept" in command(tmp_path, "status", "--checkpoint", str(tmp_path / "checkpoint"))


def test_a_start_that_waits_for_a_command_can_be_stopped(topics: Topics, tmp_path: Path) -> None:
    """A waiting start names what it waits for, stops on SIGTERM, and times out."""
    control = tmp_path / "raw.control"
    control.mkdir()
    with (
        exclusive_lock(control / "write.lock", "a command"),
        start_stream(topics.bootstrap, "t", tmp_path) as stream,
    ):
        waiting = f"a command, process {os.getpid()}"
        wait_until(lambda: waiting in stream.last_lines(), "the stream to wait", seconds=DEADLINE)
        os.kill(stream.pid, signal.SIGTERM)
        wait_until(lambda: stream.exit_code is not None, "the end", seconds=DEADLINE)
        assert stream.exit_code == -signal.SIGTERM
        with start_stream(topics.bootstrap, "t", tmp_path, "--stall-timeout", "3") as late:
            assert_ends(late, 6, "no progress for 3 s")


@dataclass(frozen=True)
class Clock:
    """A wall clock for a stream's processes that tests can set."""

    library: Path
    offset: Path

    def set(self, seconds: int) -> None:
        """Set the clock `seconds` ahead of the real one."""
        with self.offset.open("r+b", buffering=0) as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of processes that use this clock."""
        return {"LD_PRELOAD": str(self.library), "SHIFTED_CLOCK": str(self.offset)}


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock that tests can set."""
    compiler = shutil.which("cc")
    if compiler is None and not os.environ.get("CI"):
        pytest.skip("needs a C compiler")
    assert compiler is not None
    clock = Clock(tmp_path / "clock.so", tmp_path / "clock")
    source = Path(__file__).with_name("shifted_clock.c")
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(clock.library), str(source)]
    subprocess.run(command, check=True)
    clock.offset.write_bytes(bytes(8))
    return clock


def test_a_clock_that_is_set_does_not_hold_up_the_stream(
    topics: Topics, tmp_path: Path, clock: Clock
) -> None:
    """Setting the clock by an hour does not stop the stream, nor its next start."""
    topic = topics.create()
    expected = 0
    for turn, offsets in enumerate(((0, -3600, 3600, 0), (-3600, 3600))):
        clock.set(offsets[0])
        with start_stream(
            topics.bootstrap, topic, tmp_path, "--trigger", "2 seconds",
            log=f"stream-{turn}", environment=clock.environment,
        ) as stream:  # fmt: skip
            for offset in offsets:
                clock.set(offset)
                topics.produce(topic, [value for value in values(5) for _ in range(2)])
                expected += 5
                wait_for_rows(tmp_path, expected, stream)
    assert_stored_once(tmp_path, expected)
    log = (tmp_path / "raw.control/log/000000000001.json").read_text()
    committed = datetime.fromisoformat(json.loads(log)["committed_at"])
    assert datetime.now(UTC) - committed > timedelta(minutes=50)  # it really used that clock
