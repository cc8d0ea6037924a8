"""Stores one micro-batch: offsets -> records -> files -> commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from pyspark.sql import DataFrame

from events_stream.errors import RecordsLost
from events_stream.kafka.offsets import OffsetRange, Start, offset_range
from events_stream.kafka.source import KafkaSource
from events_stream.kafka.topic import TopicNow
from events_stream.records.heartbeat import beating
from events_stream.records.writer import RecordWriter
from events_stream.run.checkpoint import Checkpoint
from events_stream.run.metrics import StreamMetrics
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.staging import files_for
from events_stream.table.folder.table import Table
from events_stream.table.position import Backlog, Loss, Span
from events_stream.table.steps import Step

log = structlog.get_logger()


class QueryOutdated(Exception):
    """Raised when a partition is new, or has another leader than at the start of the query.

    The old leader may have sent records that the new one lacks, and Spark may still hold them. A
    new query starts where the table ends, if that is still what Kafka has.
    """


@dataclass
class BatchSink:
    """Stores the micro-batches of a streaming query in a table; `foreachBatch` calls it."""

    writer: RecordWriter
    source: KafkaSource
    checkpoint: Checkpoint
    metrics: StreamMetrics
    ack_timeout: timedelta
    """How long the collector may wait for Kafka's acknowledgement of an event."""
    accept_loss: bool = False
    """Whether to go on without records that Kafka lost."""
    start: Start = field(default_factory=lambda: Start({}))
    """Where the query starts."""
    drains_from: datetime | None = None
    """When a query that drains the topic asked for the topic's end; None for other queries."""

    @property
    def table(self) -> Table:
        """The table that the micro-batches go to."""
        return self.writer.table

    def __call__(self, records: DataFrame, batch: int) -> OffsetRange:
        """Store `records`, the micro-batch with number `batch`; return its offsets.

        If it raises, nothing is stored, except with `QueryOutdated`: then it may be.
        """
        with self.table.change(CommitKind.BATCH) as change:
            state = change.state
            before = state.next_offsets
            offsets = offset_range(self.checkpoint.plans, batch, self.source.topic)
            offsets.check_follows({**before, **self.start.offsets} if batch == 0 else before)
            files = files_for(offsets.records)
            if offsets.tasks > files:  # otherwise coalescing would only copy each record
                records = records.coalesce(files)
            read = self.writer.write(change, records, offsets.partitions)
            topic = self.source.look()  # after the read: notices a topic that was replaced
            state.check_source(topic.identity)
            outdated = self.outdated(topic)
            if outdated:
                self._check_intact(offsets)
            with beating(self.source.spark, self.table.beat):
                change.empty_offsets, change.lost = self._check_read(offsets, read)
            self.table.watch(Step.CHECKED)
            change.source = topic.identity
            change.after = {**before, **offsets.end}
            # Not those of `topic`: its leaders may lack what the leaders at the start had.
            change.epochs = {**state.epochs, **self.start.epochs}
            change.complete_up_to = self._complete_up_to(offsets)
            earlier = state.backlog if batch else None  # a pause is not a speed
            change.backlog = self._backlog(earlier, offsets, topic.lag(change.after))
        commit = change.commit
        self.metrics.stored(commit.counts, len(commit.files))
        log.info("batch stored", commit=commit.number, **commit.counts.model_dump())
        if outdated:
            raise QueryOutdated
        return offsets

    def outdated(self, topic: TopicNow) -> bool:
        """Return whether there are new partitions or leaders since the start of the query."""
        return topic.epochs != self.start.epochs

    def _check_intact(self, offsets: OffsetRange) -> None:
        """Check that Kafka still has the records that were read. Raises `QueryOutdated`."""
        if self.source.find_cuts(offsets.end, self.start.epochs):
            raise QueryOutdated

    def _check_read(
        self, offsets: OffsetRange, read: Mapping[int, Span]
    ) -> tuple[int, tuple[Loss, ...]]:
        """Check that what was read is what was planned.

        Return how many offsets have no record as usual, and which records Kafka lost, as accepted.
        """
        empty, lost = 0, []
        for partition, count in offsets.check_read(read, self.source.count).items():
            if self.source.leaves_offsets_empty(partition):
                empty += count
                continue
            gap = (
                f"partition {partition}: {count} of the offsets {offsets.start[partition]} to "
                f"{offsets.end[partition] - 1} have no record, although the topic is not "
                f"compacted and Kafka knows of no transactions: it lost them, or has forgotten "
                f"the producer of transactions"
            )
            if not self.accept_loss:
                raise RecordsLost(f"{gap}; give --accept-loss once to continue without them")
            log.warning("records lost, as accepted", gap=gap)
            start, end = offsets.start[partition], offsets.end[partition]
            lost.append(Loss(partition=partition, start=start, end=end, records=count))
        return empty, tuple(lost)

    def accept(self, start: Start) -> None:
        """Store in the table that it continues at `start`, and why: cuts and lost records."""
        with self.table.change(CommitKind.LOSS) as change:
            change.after = {**change.state.next_offsets, **start.offsets}
            change.epochs = dict(start.epochs)
            change.lost, change.cuts = start.lost, start.cuts
        for loss in start.lost:
            log.warning("records lost, as accepted", **loss.model_dump())
        for cut in start.cuts:
            log.error(
                "Kafka cut its log, and may have lost acknowledged events that were not stored yet",
                **cut.model_dump(mode="json"),
            )

    def _complete_up_to(self, offsets: OffsetRange) -> datetime | None:
        if self.leaves_records(offsets):
            return None
        return (self.drains_from or offsets.planned_at) - self.ack_timeout

    def leaves_records(self, offsets: OffsetRange) -> bool:
        """Return whether the topic may have had more records than the micro-batch could take."""
        return offsets.may_leave_records(self.source.max_records_per_batch)

    def _backlog(self, earlier: Backlog | None, offsets: OffsetRange, left: int) -> Backlog | None:
        if not left or not self.leaves_records(offsets):
            return None
        return Backlog.after(earlier, left, datetime.now(UTC))
