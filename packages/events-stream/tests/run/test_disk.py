"""A full or read-only disk gives a one-line error, and nothing is lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from events_schema.runtime.errors import PublishError
from events_stream.run.metrics import StreamMetrics
from events_stream.table.folder import log as commit_log
from events_stream.table.steps import Step
from line_support.small_disk import fill, mount, small_disk
from line_support.topics import Topics
from stream_support.envelopes import encoded
from stream_support.streaming import store

pytestmark = pytest.mark.extended


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A separate small file system."""
    with small_disk(tmp_path / "disk", "8m") as disk:
        yield disk


@pytest.fixture
def run(spark: SparkSession, topics: Topics, disk: Path) -> Callable[[int], None]:
    """Return a function that adds events to a topic and stores them on the disk."""
    topic = topics.create()

    def run(events: int) -> None:
        topics.produce(topic, encoded(events))
        if events:
            topics.produce(topic, [b"garbage"])
        store(spark, topics.bootstrap, topic, disk / "line")

    return run


def assert_stored_once(disk: Path, events: int, failed: int) -> None:
    """Check how many events and failed events any reader finds."""
    query = f"SELECT count(*), count(DISTINCT event_id) FROM '{disk}/line/raw/**/*.parquet'"
    assert duckdb.execute(query).fetchone() == (events, events)
    query = f"SELECT count(*) FROM '{disk}/line/raw.failed/*.parquet'"
    assert duckdb.execute(query).fetchone() == (failed,)


def refusal(run: Callable[[int], None], events: int) -> str:
    """Return the error of storing more events, or an empty text."""
    try:
        run(events)
    except PublishError as error:
        return str(error)
    return ""


def test_a_full_disk_in_each_step_is_refused_and_costs_nothing(
    run: Callable[[int], None], disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When there is space again, the next start stores the batch once."""
    monkeypatch.setattr(commit_log, "FOLD_COMMITS", 2)
    run(10)
    refused = set()
    for turn, step in enumerate(Step, start=2):

        def fill_up(_: StreamMetrics, reached: Step, wanted: Step = step) -> None:
            if reached is wanted:
                fill(disk)

        with monkeypatch.context() as patched:
            patched.setattr(StreamMetrics, "reached", fill_up)
            said = refusal(run, 10)
        (disk / "filler").unlink(missing_ok=True)
        if said:
            assert "No space left on device; free some space" in said
            assert str(disk) in said
            refused.add(step)
            run(0)
        assert_stored_once(disk, 10 * turn, turn)
    assert refused >= {Step.BEGUN, Step.RECOVERED, Step.STAGED, Step.WRITTEN, Step.SYNCED}


def test_a_disk_that_fails_while_the_stream_runs_is_refused(
    run: Callable[[int], None], disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the system's message, and the next start stores the batch once."""
    failures = {Step.STAGED: errno.EROFS, Step.SYNCED: errno.EDQUOT, Step.COMMITTED: errno.EIO}
    for turn, (step, code) in enumerate(failures.items(), start=1):

        def fail(_: StreamMetrics, reached: Step, wanted: Step = step, code: int = code) -> None:
            if reached is wanted:
                raise OSError(code, os.strerror(code), str(disk / "line/raw"))

        with monkeypatch.context() as patched:
            patched.setattr(StreamMetrics, "reached", fail)
            with pytest.raises(PublishError, match=f"cannot write {disk}.*{os.strerror(code)}"):
                run(5)
        run(0)
        assert_stored_once(disk, 5 * turn, turn)


def test_a_target_turned_read_only_is_refused(run: Callable[[int], None], disk: Path) -> None:
    """It is refused before anything is read, and continues when it is writable again."""
    run(5)
    assert mount("-o", "remount,ro", str(disk)).returncode == 0
    with pytest.raises(PublishError, match="Read-only file system"):
        run(5)
    assert mount("-o", "remount,rw", str(disk)).returncode == 0
    run(0)
    assert_stored_once(disk, 10, 2)
