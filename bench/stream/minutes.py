"""Batches of a minute each, with small parquet files of real rows, written without Spark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet
from pyspark.sql.pandas.types import to_arrow_schema

from bench.stream.filled_topic import Events
from events_schema import StoredEvent
from events_schema.spark import spark_schema
from events_schema.tables.hours import hour_runs
from events_schema.tables.partitions import PARTITION_COLUMN
from events_schema.tables.snapshot import StagedFile
from events_stream.table.folder.change import Change
from events_stream.table.folder.parquet import DescribedFile
from events_stream.table.folder.staging import Staging
from events_stream.table.position import Counts, SourceIdentity

Staged = tuple[StagedFile, ...]
Columns = list[tuple[str, pa.DataType]]

ROWS = 5
"""The events of a minute."""
FAILING_HOUR = 12
"""In this hour of each day, each minute also has a failed event."""
MINUTES_PER_DAY = 1440
START = datetime(2025, 1, 1, tzinfo=UTC)
_EVENTS = Events(ROWS / 60, first=START + timedelta(seconds=10))  # sent in the same minute
SOURCE = SourceIdentity(cluster_id="bench", topic="events", topic_id="bench")
_COLUMNS = to_arrow_schema(spark_schema(StoredEvent))
_HEADER: Columns = [("key", pa.string()), ("value", pa.binary())]
_FAILED: Columns = [
    ("topic", pa.string()),
    ("partition", pa.int32()),
    ("offset", pa.int64()),
    ("timestamp", pa.timestamp("us", tz="UTC")),
    ("key", pa.binary()),
    ("headers", pa.list_(pa.struct(_HEADER))),
    ("value", pa.binary()),
    ("reason", pa.string()),
]


@dataclass(frozen=True)
class Minute:
    """The n-th minute of the year, and what it stores."""

    number: int

    @property
    def start(self) -> datetime:
        """When it begins."""
        return START + timedelta(minutes=self.number)

    @property
    def counts(self) -> Counts:
        """What its batch reads."""
        failed = int(self.start.hour == FAILING_HOUR)
        return Counts(read=ROWS + failed, stored=ROWS, failed=failed)

    def described(self, path: Path) -> DescribedFile:
        """Describe the minute's events, which are in the file at `path`."""
        first, last = self.start, self.start + timedelta(seconds=59)
        hours = hour_runs([int(first.timestamp()) // 3600])
        return DescribedFile(path, ROWS, first, last, hours)


def minutes_of(day: int) -> list[Minute]:
    """Return the minutes of the day with this number; the first day is 0."""
    return [Minute(day * MINUTES_PER_DAY + minute) for minute in range(MINUTES_PER_DAY)]


def write_events(path: Path, minute: Minute) -> None:
    """Write the events of `minute` to a new file."""
    first = minute.number * ROWS
    rows = [_EVENTS.envelope(number) for number in range(first, first + ROWS)]
    parquet.write_table(pa.Table.from_pylist(rows, _COLUMNS), path)


@dataclass(frozen=True)
class Written:
    """The files of a day in `folder`: to save time, the minutes of an hour have the same rows."""

    folder: Path

    def events(self, minute: Minute) -> Path:
        """Return the file with the events of `minute`."""
        return self.folder / f"{minute.start.hour}.parquet"

    @property
    def failed(self) -> Path:
        """The file with the failed event of a minute."""
        return self.folder / "failed.parquet"

    def link(self, minute: Minute, path: Path) -> None:
        """Make `path` a second name of a file of `minute`, which may be in a folder `failed`."""
        failed = path.parent.name.endswith("failed")
        path.hardlink_to(self.failed if failed else self.events(minute))


@contextmanager
def written(folder: Path, day: int) -> Iterator[Written]:
    """Write the files of a day to a temporary folder inside `folder`."""
    minutes = minutes_of(day)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        files = Written(Path(made))
        for minute in minutes[::60]:
            write_events(files.events(minute), minute)
        record = {"topic": "events", "timestamp": minutes[0].start, "value": b"", "reason": "empty"}
        parquet.write_table(pa.Table.from_pylist([record], pa.schema(_FAILED)), files.failed)
        yield files


def describe(staging: Staging, minute: Minute) -> tuple[Staged, Staged]:
    """Return the entries for the files of `minute`, events and failed, to be in `staging`."""
    day = staging.folder / "table" / f"{PARTITION_COLUMN}={minute.start.date()}"
    events = minute.described(day / "part.parquet")
    failed = DescribedFile(staging.folder / "failed" / "part.parquet", minute.counts.failed)
    return staging.describe([events]), staging.describe([failed])


def fill(change: Change, minute: Minute, files: Written) -> None:
    """Make `change` the batch of `minute`, with second names of `files`."""
    staging = change.staging
    change.table_files, change.failed_files = describe(staging, minute)
    for file in (*change.table_files, *change.failed_files):
        path = staging.folder / file.staged
        path.parent.mkdir(parents=True)
        files.link(minute, path)
    complete(change, minute)


def complete(change: Change, minute: Minute) -> None:
    """Set the position of `change`, whose files are set."""
    change.source, change.counts = SOURCE, minute.counts
    change.after = {0: change.after.get(0, 0) + minute.counts.read}
    change.complete_up_to = minute.start
