"""Stores one micro-batch: offsets -> records -> files -> commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from pyspark.sql import DataFrame

from events_stream.errors import OtherRecords, RecordsLost
from events_stream.kafka.epochs import since
from events_stream.kafka.offsets import OffsetRange, Start, offset_range
from events_stream.kafka.source import KafkaSource
from events_stream.kafka.topic import TopicNow
from events_stream.records.heartbeat import beating
from events_stream.records.writer import RecordWriter
from events_stream.run.checkpoint import Checkpoint
from events_stream.run.erasures import past_erasures
from events_stream.run.metrics import StreamMetrics
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.staging import files_for
from events_stream.table.folder.state import TableState
from events_stream.table.folder.table import Table
from events_stream.table.position import Backlog, Epochs, Loss, Span
from events_stream.table.steps import Step

log = structlog.get_logger()


class QueryOutdated(Exception):
    """Raised when a partition is new, or has another leader than at the start of the query.

    The old leader may have sent records that the new one lacks, and Spark may still hold them. A
    new query reads the micro-batch again, from where the table ends if Kafka still has that.
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

        If it raises, nothing is stored.
        """
        with self.table.change(CommitKind.BATCH) as change:
            state = change.state
            before = state.position.next_offsets
            offsets = offset_range(self.checkpoint.plans, batch, self.source.topic)
            offsets.check_follows({**before, **self.start.offsets} if batch == 0 else before)
            files = files_for(offsets.records)
            if offsets.tasks > files:  # otherwise coalescing would only copy each record
                records = records.coalesce(files)
            read = self.writer.write(change, records, offsets.partitions)
            with beating(self.source.spark, self.table.beat):
                try:
                    epochs = self._epochs(state, read)
                    change.empty_offsets, change.lost = self._check_read(offsets, read)
                except (OtherRecords, RecordsLost):
                    self._look(state)  # another leader, or another topic, has other records
                    raise
                topic = self._look(state)
            self.table.watch(Step.CHECKED)
            change.source = topic.identity
            change.after = {**before, **offsets.end}
            change.leader_epochs = {
                p: since(each, topic.earliest.get(p, 0)) for p, each in epochs.items()
            }
            left = topic.lag(change.after) if self.leaves_records(offsets) else 0
            if not left:
                change.complete_up_to = (self.drains_from or offsets.planned_at) - self.ack_timeout
            complete = change.complete_up_to or state.position.complete_up_to
            change.erasures = past_erasures(state, topic, complete)
            earlier = state.position.backlog if batch else None  # a pause is not a speed
            change.backlog = Backlog.after(earlier, left, datetime.now(UTC)) if left else None
        commit = change.commit
        self.metrics.stored(commit.counts, len(commit.files))
        counts = commit.counts.model_dump() | {"empty_offsets": commit.empty_offsets}
        log.info("batch stored", commit=commit.number, **counts)
        return offsets

    def _epochs(self, state: TableState, read: Mapping[int, Span]) -> Epochs:
        """Return the leader epochs of what the table will have read after this batch."""
        epochs = {**self.start.epochs, **state.position.leader_epochs}
        current = {p for p, each in epochs.items() if each[-1].epoch == self.start.leaders.get(p)}
        # What is read after records of the current leader is of that leader as well.
        unknown = {p: span.offsets for p, span in read.items() if span.records and p not in current}
        return self.source.extend(epochs, unknown)

    def _look(self, state: TableState) -> TopicNow:
        """Look at the topic. Raises `QueryOutdated` and `OtherSource`."""
        topic = self.source.look()
        state.position.check_source(topic.identity)
        if self.outdated(topic):
            raise QueryOutdated
        return topic

    def outdated(self, topic: TopicNow) -> bool:
        """Return whether there are new partitions or leaders since the start of the query."""
        return topic.leaders != self.start.leaders

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
            change.after = {**change.state.position.next_offsets, **start.offsets}
            change.backlog = None
            change.leader_epochs = dict(start.epochs)
            change.lost, change.cuts = start.lost, start.cuts
        for loss in start.lost:
            log.warning("records lost, as accepted", **loss.model_dump())
        for cut in start.cuts:
            log.error(
                "Kafka cut its log, and may have lost acknowledged events that were not stored yet",
                **cut.model_dump(mode="json"),
            )

    def leaves_records(self, offsets: OffsetRange) -> bool:
        """Return whether the topic may have had more records than the micro-batch could take."""
        return offsets.may_leave_records(self.source.max_records_per_batch)
