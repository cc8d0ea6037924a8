"""What happens to one batch: records -> events -> files -> commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from pyspark.sql import DataFrame, Observation

from events_schema import released_schemas
from events_stream.checkpoint import Checkpoint
from events_stream.commit import ACKNOWLEDGED_WITHIN, Commit, CommitKind, Counts, StagedFile
from events_stream.decode import Decode, decoder, events, failed_events
from events_stream.deduplication import remove_copies
from events_stream.errors import CountMismatch
from events_stream.metrics import StreamMetrics
from events_stream.offsets import OffsetRange, Start, offset_range
from events_stream.parquet_files import FileRows, describe_events, describe_failed_events
from events_stream.source import KafkaSource
from events_stream.staging import FILES_PER_DAY, ROWS_PER_FILE, Staging
from events_stream.steps import Step
from events_stream.table import Table

log = structlog.get_logger()


@dataclass(frozen=True)
class Written:
    """What was staged of some records, all of them accounted for."""

    counts: Counts
    table_files: tuple[StagedFile, ...]
    failed_files: tuple[StagedFile, ...]


@dataclass(frozen=True)
class RecordWriter:
    """Writes records into a table's staging folders: events once, and failed events."""

    table: Table
    window: timedelta
    """Copies of an event received at most so far apart are stored once; 0 looks for none."""
    decode: Decode = field(default_factory=lambda: decoder(released_schemas()))

    def write(self, staging: Staging, records: DataFrame, at_most: int) -> Written:
        """Write `records`, `at_most` so many. Raises `CountMismatch`."""
        records = records.coalesce(min(FILES_PER_DAY, at_most // ROWS_PER_FILE + 1))
        decoded = records.transform(self.decode)
        seen = Observation()
        staging.write_events(decoded.transform(events, seen))
        read, failed = seen.get["read"], seen.get["failed"]
        self.table.watch(Step.WRITTEN)
        if failed:  # rare enough to read the records once more
            staging.write_failed_events(decoded.transform(failed_events, Observation()))
        self.table.watch(Step.FAILED_WRITTEN)
        stored = describe_events(staging.event_files)
        duplicates = self._remove_copies(staging, stored)
        if duplicates:
            stored = describe_events(staging.event_files)
        table_files = staging.describe(stored)
        failed_files = staging.describe(describe_failed_events(staging.failed_event_files))
        self.table.watch(Step.DEDUPLICATED)
        counts = Counts(
            read=read,
            stored=sum(file.rows for file in table_files),
            duplicates=duplicates,
            failed=sum(file.rows for file in failed_files),
        )
        check_counts(counts)
        return Written(counts, table_files, failed_files)

    def _remove_copies(self, staging: Staging, written: list[FileRows]) -> int:
        earliest = [file.earliest_received for file in written if file.earliest_received]
        latest = [file.latest_received for file in written if file.latest_received]
        if not self.window or not earliest:
            return 0
        near = self.table.state.files_received_near(min(earliest), max(latest), self.window)
        return remove_copies(
            [file.path for file in written], self.table.paths(near), staging.folder / "spill"
        )


@dataclass
class BatchSink:
    """Stores the batches of a streaming query in a table: what `foreachBatch` calls."""

    writer: RecordWriter
    source: KafkaSource
    checkpoint: Checkpoint
    metrics: StreamMetrics
    start: Start = field(default_factory=lambda: Start({}))
    """Where the query starts."""
    drains_from: datetime | None = None
    """When a query that drains the topic asked for its end; None where each batch asks anew."""

    @property
    def table(self) -> Table:
        """The table that the batches go to."""
        return self.writer.table

    def __call__(self, records: DataFrame, batch: int) -> None:
        """Store `records`, or nothing of them where this raises `EventsError`."""
        with self.table.writing():
            before = self.table.state.next_offsets
            offsets = offset_range(self.checkpoint.plans, batch, self.source.topic)
            offsets.check_follows({**before, **self.start.offsets} if batch == 0 else before)
            staging = self.table.stage()
            written = self.writer.write(staging, records, at_most=offsets.records)
            topic = self.source.look()  # after the read, so that another topic is noticed
            self.table.state.check_source(topic.identity)
            self.table.watch(Step.CHECKED)
            commit = Commit(
                number=staging.number,
                kind=CommitKind.BATCH,
                committed_at=datetime.now(UTC),
                staging=staging.folder.name,
                source=topic.identity,
                before=dict(before),
                after={**before, **offsets.end},
                counts=written.counts,
                complete_up_to=self._complete_up_to(offsets),
                lost=self.start.lost if batch == 0 else (),
                table_files=written.table_files,
                failed_files=written.failed_files,
            )
            self.table.store(commit)
        self.metrics.stored(commit.counts, len(commit.files))
        self.metrics.looked(self.table.state, topic.lag(commit.after), commit.committed_at)
        log.info("batch stored", commit=commit.number, **commit.counts.model_dump())

    def _complete_up_to(self, offsets: OffsetRange) -> datetime | None:
        if offsets.records >= self.source.max_records_per_batch:  # there may be more
            return None
        return (self.drains_from or offsets.planned_at) - ACKNOWLEDGED_WITHIN


def check_counts(counts: Counts) -> None:
    """Refuse a change of which a record is unaccounted for. Raises `CountMismatch`."""
    if counts.read != counts.stored + counts.duplicates + counts.failed:
        raise CountMismatch(
            f"{counts.read} records were read, but {counts.stored} stored, {counts.duplicates} "
            f"duplicates and {counts.failed} failed make another sum; nothing was committed"
        )
