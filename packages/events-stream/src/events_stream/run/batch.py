"""Stores one micro-batch: offsets -> records -> files -> commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from pyspark.sql import DataFrame

from events_stream.kafka.offsets import OffsetRange, Start, offset_range
from events_stream.kafka.source import KafkaSource
from events_stream.records.writer import RecordWriter
from events_stream.run.checkpoint import Checkpoint
from events_stream.run.metrics import StreamMetrics
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.staging import files_for
from events_stream.table.folder.table import Table
from events_stream.table.steps import Step

log = structlog.get_logger()


@dataclass
class BatchSink:
    """Stores the micro-batches of a streaming query in a table; `foreachBatch` calls it."""

    writer: RecordWriter
    source: KafkaSource
    checkpoint: Checkpoint
    metrics: StreamMetrics
    ack_timeout: timedelta
    """How long the collector may wait for Kafka's acknowledgement of an event."""
    start: Start = field(default_factory=lambda: Start({}))
    """Where the query starts."""
    drains_from: datetime | None = None
    """When a query that drains the topic asked for the topic's end; None for other queries."""

    @property
    def table(self) -> Table:
        """The table that the micro-batches go to."""
        return self.writer.table

    def __call__(self, records: DataFrame, batch: int) -> None:
        """Store `records`, the micro-batch with number `batch`. If it raises, nothing is stored."""
        with self.table.change(CommitKind.BATCH) as change:
            before = change.state.next_offsets
            offsets = offset_range(self.checkpoint.plans, batch, self.source.topic)
            offsets.check_follows({**before, **self.start.offsets} if batch == 0 else before)
            files = files_for(offsets.records)
            if offsets.tasks > files:  # otherwise coalescing would only copy each record
                records = records.coalesce(files)
            self.writer.write(change, records)
            identity = self.source.identify()  # after the read: notices a topic that was replaced
            change.state.check_source(identity)
            self.table.watch(Step.CHECKED)
            change.source = identity
            change.after = {**before, **offsets.end}
            change.complete_up_to = self._complete_up_to(offsets)
        commit = change.commit
        self.metrics.stored(commit.counts, len(commit.files))
        log.info("batch stored", commit=commit.number, **commit.counts.model_dump())

    def accept(self, start: Start) -> None:
        """Store in the table that it continues at `start`, and which records are lost."""
        with self.table.change(CommitKind.LOSS) as change:
            change.after = {**change.state.next_offsets, **start.offsets}
            change.lost = start.lost
        for loss in start.lost:
            log.warning("records lost, as accepted", **loss.model_dump())

    def _complete_up_to(self, offsets: OffsetRange) -> datetime | None:
        if offsets.may_leave_records(self.source.max_records_per_batch):
            return None
        return (self.drains_from or offsets.planned_at) - self.ack_timeout
