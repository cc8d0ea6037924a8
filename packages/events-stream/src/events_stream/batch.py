"""What happens to one batch: records -> events -> files -> commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from events_schema import released_schemas
from events_schema.posix import refusing_unwritable
from events_stream.commit import Commit, Counts
from events_stream.decode import decode, events, failed_events
from events_stream.errors import CountMismatch
from events_stream.offsets import is_new, offset_range
from events_stream.source import KafkaSource
from events_stream.staging import as_time
from events_stream.table import Table

log = structlog.get_logger()


@dataclass(frozen=True)
class Survey:
    """What a batch holds, counted before anything of it is written."""

    read: int
    failed: int
    earliest_received: datetime | None
    latest_received: datetime | None


@dataclass(frozen=True)
class BatchSink:
    """Stores the batches of one streaming query in one table: what `foreachBatch` calls."""

    table: Table
    source: KafkaSource
    checkpoint: Path
    window: timedelta

    def __call__(self, records: DataFrame, batch: int) -> None:
        """Store what is new in `records`, or nothing of it where this raises `EventsError`."""
        with refusing_unwritable(self.table.layout.target):
            self._store(records, batch)

    def _store(self, records: DataFrame, batch: int) -> None:
        self.table.recover()
        next_offsets = self.table.log.next_offsets
        offsets = offset_range(self.checkpoint, batch, self.source.topic)
        offsets.check_no_gap(next_offsets)
        if offsets.is_known(next_offsets):
            return
        new = records.where(is_new(next_offsets))
        decoded = new.transform(decode, schemas=released_schemas()).persist()
        try:
            commit = self._stage(decoded, offsets.after(next_offsets))
        finally:
            decoded.unpersist()
        self.table.store(commit)
        log.info("batch stored", commit=commit.number, **commit.counts.model_dump())

    def _stage(self, decoded: DataFrame, after: dict[int, int]) -> Commit:
        staging = self.table.stage()
        survey = survey_batch(decoded)
        stored, duplicates = staging.write_events(events(decoded), self._stored_ids(survey))
        failed = staging.write_failed_events(failed_events(decoded)) if survey.failed else ()
        counts = Counts(
            read=survey.read,
            stored=sum(file.rows for file in stored),
            duplicates=duplicates,
            failed=sum(file.rows for file in failed),
        )
        check_counts(counts)
        source = self.source.identify()  # after the read, so that another topic is noticed
        self.table.log.check_source(source)
        return Commit(
            number=len(self.table.log.commits),
            committed_at=datetime.now(UTC),
            source=source,
            before=dict(self.table.log.next_offsets),
            after=after,
            counts=counts,
            table_files=stored,
            failed_files=failed,
        )

    def _stored_ids(self, survey: Survey) -> DataFrame | None:
        """Return the ids in the table's files that may hold a copy of one of the batch's events."""
        if survey.earliest_received is None or survey.latest_received is None:
            return None
        near = self.table.log.files_received_near(
            survey.earliest_received, survey.latest_received, self.window
        )
        paths = self.table.paths(near)
        if not paths:
            return None
        return self.source.spark.read.schema("event_id STRING").parquet(*map(str, paths))


def survey_batch(decoded: DataFrame) -> Survey:
    """Count the rows of `decode`, in one pass, which also fills its cache."""
    received = F.when(F.col("reason").isNull(), F.unix_micros("received_time"))
    found = decoded.agg(
        F.count("*").alias("read"),
        F.count("reason").alias("failed"),
        F.min(received).alias("earliest"),
        F.max(received).alias("latest"),
    ).collect()[0]
    return Survey(
        found["read"], found["failed"], as_time(found["earliest"]), as_time(found["latest"])
    )


def check_counts(counts: Counts) -> None:
    """Refuse a batch of which a record is unaccounted for. Raises `CountMismatch`."""
    if counts.read != counts.stored + counts.duplicates + counts.failed:
        raise CountMismatch(
            f"{counts.read} records were read, but {counts.stored} stored, {counts.duplicates} "
            f"duplicates and {counts.failed} failed make another sum; nothing was committed"
        )
