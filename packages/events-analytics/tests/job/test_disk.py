"""A full disk gives a one-line error, the old result stays, and the next run needs only space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from shutil import disk_usage

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import events_analytics
from analytics_support.raw_schema import RAW
from events_analytics.versions import publish
from events_loadgen.processes.waiting import wait_until
from events_schema import Contract, Event, EventsError
from events_schema.runtime.errors import PublishError, SparkFailed
from events_schema.runtime.files import create_new
from line_support.small_disk import MEBIBYTE, fill, small_disk

pytestmark = pytest.mark.extended

CONTRACT = Contract(Event)
T = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROWS = 100


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A separate small file system."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        yield disk


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A raw table with a hundred rows, on another file system."""
    (tmp_path / "raw").mkdir()
    add_rows(tmp_path / "raw" / "a.parquet", ROWS)
    return tmp_path / "raw"


def add_rows(path: Path, rows: int, text_bytes: int = 8) -> None:
    """Write rows with texts that cannot be compressed."""
    random = Random(rows)  # noqa: S311  # repeatable on purpose
    row = dict.fromkeys(RAW.names)
    texts = (random.randbytes(text_bytes).hex() for _ in range(rows))
    pq.write_table(pa.Table.from_pylist([row | {"app_name": t} for t in texts], schema=RAW), path)


@pytest.fixture
def run(spark: SparkSession, source: Path, disk: Path) -> Callable[[], int]:
    """Return a function that runs the job and returns the number of published rows."""

    def run() -> int:
        return events_analytics.run(spark, CONTRACT, source, disk / "enriched", T).rows

    return run


def names(folder: Path) -> set[str]:
    """Return the names of a folder's entries."""
    return {path.name for path in folder.iterdir()}


def refusal(run: Callable[[], int], error: type[EventsError], disk: Path) -> str:
    """Return the one-line error of a run that left everything unchanged."""
    before = names(disk / "enriched"), names(disk / "enriched.versions")
    with pytest.raises(error) as refused:
        run()
    assert (names(disk / "enriched"), names(disk / "enriched.versions")) == before
    assert pq.read_table(disk / "enriched").num_rows == ROWS
    assert refused.value.exit_code == 1
    (line,) = str(refused.value).splitlines()
    return line


def has_room(spark: SparkSession, disk: Path) -> bool:
    """Return whether most of the disk is free.

    A failed task leaves a deleted file open until Java collects its garbage. A run of the command
    closes it when its Java process exits.
    """
    spark._jvm.System.gc()  # type: ignore[union-attr]
    return disk_usage(disk).free > 3 * MEBIBYTE // 2


def test_a_disk_that_is_full_while_spark_writes_is_refused(
    spark: SparkSession, run: Callable[[], int], source: Path, disk: Path
) -> None:
    """The error is one line that says what to do, and the next, smaller run publishes."""
    run()
    add_rows(source / "large.parquet", 64, text_bytes=MEBIBYTE // 16)
    line = refusal(run, SparkFailed, disk)
    assert line.startswith("Spark failed: No space left on device, ")
    assert line.endswith("; free some space and start again, the old result stays")
    (source / "large.parquet").unlink()
    wait_until(lambda: has_room(spark, disk), "room on the disk", seconds=60)
    add_rows(source / "b.parquet", ROWS)
    assert run() == pq.read_table(disk / "enriched").num_rows == 2 * ROWS


def test_a_disk_that_is_full_at_the_manifest_is_refused(
    run: Callable[[], int], source: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When there is space again, the next run publishes."""
    run()
    add_rows(source / "b.parquet", ROWS)

    def create_on_full_disk(path: Path, content: bytes) -> None:
        fill(disk)
        create_new(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(publish, "create_new", create_on_full_disk)
        line = refusal(run, PublishError, disk)
    assert line.startswith(f"cannot write {disk}")
    assert "No space left on device; free some space" in line
    (disk / "filler").unlink()
    assert run() == pq.read_table(disk / "enriched").num_rows == 2 * ROWS
