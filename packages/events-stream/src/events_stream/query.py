"""Running the streaming query: starting it, stopping it, and waiting for an absent Kafka."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from events_schema import EventsError
from events_stream.batch import BatchSink
from events_stream.errors import BrokerUnavailable, QueryFailed
from events_stream.offsets import forget_unfinished_batch
from events_stream.source import KafkaSource

POLL_SECONDS = 1
KAFKA_ERRORS = ("org.apache.kafka.common.errors.", "Cannot fetch record for offset")
"""What Spark's exceptions say where Kafka did not answer."""

log = structlog.get_logger()


class _Stopped(Exception):
    """Raised inside a batch that is not begun, because the run is ending."""


@dataclass
class StreamRun:
    """One run of the stream, over as many streaming queries as Kafka's absences make of it."""

    source: KafkaSource
    sink: BatchSink
    checkpoint: Path
    trigger: str | None
    """How often a batch starts; None to store what is there and stop."""
    broker_timeout: float
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set from outside to end the run once the batch in hand is stored."""
    _storing: threading.Lock = field(default_factory=threading.Lock)
    _refusal: EventsError | None = None

    def run(self) -> None:
        """Run until `stopping`, or until all is stored where there is no trigger.

        Raises `BrokerUnavailable` where Kafka is not there at the start, or is away for longer
        than `broker_timeout` seconds; `QueryFailed` where Spark fails; and the sink's refusals.
        """
        self._check_source()
        while not self.stopping.is_set():
            try:
                self._run_query()
                break
            except BrokerUnavailable as error:
                log.warning("kafka is away", wait_seconds=self.broker_timeout, error=str(error))
                self._wait_for_kafka(error)

    def _check_source(self) -> None:
        self.sink.table.log.check_source(self.source.identify())

    def _wait_for_kafka(self, absence: BrokerUnavailable) -> None:
        deadline = time.monotonic() + self.broker_timeout
        while not self.stopping.is_set():
            try:
                self._check_source()
            except BrokerUnavailable:
                if time.monotonic() > deadline:
                    raise BrokerUnavailable(
                        f"gave up after {self.broker_timeout:g} s: {absence}"
                    ) from absence
                # Not `stopping.wait`, whose lock a signal handler would find held.
                time.sleep(POLL_SECONDS)
            else:
                log.info("kafka is back")
                return

    def _run_query(self) -> None:
        query = self._start()
        try:
            while not query.awaitTermination(POLL_SECONDS) and not self.stopping.is_set():
                pass
            with self._storing:  # the batch in hand is stored before Spark is interrupted
                pass
        except PySparkException as error:
            if not self.stopping.is_set() or self._refusal is not None:
                raise self._cause(error) from error
        finally:
            query.stop()

    def _start(self) -> StreamingQuery:
        self._refusal = None
        forget_unfinished_batch(self.checkpoint)
        stream = self.source.read_stream(self.sink.table.log.next_offsets)
        writer = stream.writeStream.foreachBatch(self._store)
        writer = writer.option("checkpointLocation", str(self.checkpoint))
        if self.trigger is None:
            return writer.trigger(availableNow=True).start()
        return writer.trigger(processingTime=self.trigger).start()

    def _store(self, records: DataFrame, batch: int) -> None:
        with self._storing:
            if self.stopping.is_set():
                raise _Stopped
            try:
                self.sink(records, batch)
            except EventsError as error:
                self._refusal = error  # Spark would pass on its text alone
                raise

    def _cause(self, error: PySparkException) -> Exception:
        if self._refusal is not None:
            return self._refusal
        text = str(error)
        if any(said in text for said in KAFKA_ERRORS) or not self._kafka_answers():
            return BrokerUnavailable(f"Kafka at {self.source.brokers} does not answer")
        return QueryFailed(f"Spark: {text[:500]}")

    def _kafka_answers(self) -> bool:
        try:
            self.source.identify()
        except BrokerUnavailable:
            return False
        return True
