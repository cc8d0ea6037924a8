"""Running the streaming query: starting it, stopping it, and waiting for an absent Kafka."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import structlog
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from events_schema import Contract, EventsError
from events_schema.runtime.errors import PublishError
from events_schema.runtime.session.failures import lost_java
from events_stream.errors import BrokerUnavailable, TopicCut, TopicMissing
from events_stream.kafka.offsets import Start, choose_start
from events_stream.kafka.security import client_security
from events_stream.kafka.source import KafkaSource
from events_stream.records.writer import RecordWriter
from events_stream.run.batch import BatchSink
from events_stream.run.checkpoint import Checkpoint
from events_stream.run.clock import WallClock
from events_stream.run.metrics import StreamMetrics
from events_stream.run.session import failure, java_ended
from events_stream.run.watchdog import Watchdog
from events_stream.settings import RunSettings
from events_stream.table.folder.table import Table
from events_stream.table.steps import Step, Watch

POLL_SECONDS = 1
LOOK_SECONDS = 10
"""How often, at least, the topic is asked how far the table is behind."""
CUT_SECONDS = 10
"""How long a topic may look shorter than it is: its broker has only just come back."""
KAFKA_ERRORS = ("org.apache.kafka.common.errors.", "Cannot fetch record for offset", "KAFKA_DATA")
"""What Spark's exceptions say where Kafka did not answer, or not with what was expected."""
KAFKA_SAID = re.compile(r"(?<=org\.apache\.kafka\.common\.errors\.)\w+(: [^\n]{1,200})?")

AWAY = (BrokerUnavailable, TopicMissing)
"""What a running stream waits to end; a topic is missing, too, while it is made anew."""

log = structlog.get_logger()


class _Stopped(Exception):
    """Raised inside a micro-batch that is not begun, because the query is ending."""


@dataclass
class StreamRun:
    """One run of the stream, over as many streaming queries as it takes."""

    source: KafkaSource
    sink: BatchSink
    trigger: str | None
    """How often a micro-batch starts; None to store what is there and stop."""
    broker_timeout: float
    accept_loss: bool
    watchdog: Watchdog
    _stopping: threading.Event = field(default_factory=threading.Event)
    _storing: threading.Lock = field(default_factory=threading.Lock)
    _failure: Exception | None = None
    """What the micro-batch in hand failed of: Spark passes on the text alone."""
    _clock: WallClock = field(default_factory=WallClock)
    _ending: bool = False
    """Whether the query is to be stopped."""
    _next_look: float = 0
    _away_since: float | None = None
    """Since when Kafka fails the stream; None once a micro-batch was stored, or none was to be."""

    def run(self, stopping: threading.Event) -> None:
        """Run until `stopping` is set and the micro-batch in hand stored, or until all is stored.

        Raises `BrokerUnavailable` where Kafka is not there at the start, or is away for longer
        than `broker_timeout` seconds; `SparkFailed` where Spark fails, `Stalled` where its Java
        process ends; and the sink's refusals.
        """
        self._stopping = stopping
        try:
            self._run_queries()
        except (Py4JError, ConnectionError) as error:
            if lost_java(error, self.source.spark):
                raise java_ended() from error
            raise
        finally:
            self._ending = True
            with self._storing:  # Python aborts where it ends while a thread of it is in DuckDB
                self.source.close()

    def _run_queries(self) -> None:
        start = self._choose_start()
        while not self._stopping.is_set():
            try:
                if self._run_query(start):
                    return
                start = self._choose_start()
            except AWAY as error:
                log.warning("kafka is away", wait_seconds=self.broker_timeout, error=str(error))
                start = self._wait_for_kafka(error)

    def _choose_start(self) -> Start:
        """Return where to read on, once the topic is known to be the table's."""
        deadline = time.monotonic() + CUT_SECONDS
        while True:
            topic = self.source.look()
            state = self.sink.table.state
            state.check_source(topic.identity)
            try:
                start = choose_start(
                    state.next_offsets, topic.earliest, topic.latest, accept_loss=self.accept_loss
                )
            except TopicCut:
                if time.monotonic() > deadline:
                    raise
                self._pause()
            else:
                if start.lost:
                    self.sink.accept(start)
                return start

    def _pause(self) -> None:
        # Not `stopping.wait`, whose lock a signal handler would find held.
        time.sleep(POLL_SECONDS)
        self.watchdog.beat()

    def _wait_for_kafka(self, absence: EventsError) -> Start:
        self._away_since = self._away_since or time.monotonic()
        self.sink.metrics.looked_in_vain()
        while not self._stopping.is_set():
            if time.monotonic() - self._away_since > self.broker_timeout:
                raise BrokerUnavailable(
                    f"gave up after {self.broker_timeout:g} s: {absence}"
                ) from absence
            self._pause()
            try:
                start = self._choose_start()
            except AWAY:
                continue
            log.info("kafka is back")
            return start
        return Start({})

    def _run_query(self, start: Start) -> bool:
        """Run a query until it ends; tell whether the run is over with it."""
        query = None
        try:
            query = self._start(start)
            while not query.awaitTermination(POLL_SECONDS):
                if self._stopping.is_set() or self._clock.was_set_back():
                    break
                self._note_progress(query)
            self._ending = True
            with self._storing:  # the micro-batch in hand is stored before Spark is interrupted
                if self._failure is not None:
                    raise self._failure
            drained = not query.isActive and query.exception() is None
            return drained or self._stopping.is_set()
        except (PySparkException, Py4JJavaError, duckdb.Error) as error:
            if not self._stopping.is_set() or self._failure is not None:
                raise self._cause(error) from error
            return True
        finally:
            if query is not None:
                _stop(query)

    def _note_progress(self, query: StreamingQuery) -> None:
        if time.monotonic() > self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            state, now = self.sink.table.state, datetime.now(UTC)
            try:
                lag = self.source.look().lag(state.next_offsets)
            except AWAY:  # Spark notices it, too
                self.sink.metrics.looked_in_vain()
            else:
                self.sink.metrics.looked(state, lag, now - self.sink.ack_timeout)
        if not self._storing.locked() and query.status["message"].startswith("Waiting"):
            self.watchdog.beat()  # in a micro-batch, its own steps say that something goes on
            self._away_since = None

    def _start(self, start: Start) -> StreamingQuery:
        self._failure, self._ending, self._clock = None, False, WallClock()
        self.sink.checkpoint.begin()
        self.sink.start = start
        self.sink.drains_from = datetime.now(UTC) if self.trigger is None else None
        stream = self.source.read_stream(start.offsets)
        writer = stream.writeStream.foreachBatch(self._store)
        writer = writer.option("checkpointLocation", str(self.sink.checkpoint.plans))
        if self.trigger is None:
            return writer.trigger(availableNow=True).start()
        return writer.trigger(processingTime=self.trigger).start()

    def _store(self, records: DataFrame, batch: int) -> None:
        with self._storing:
            if self._ending or self._stopping.is_set():
                raise _Stopped
            self._clock.look()
            try:
                self.sink(records, batch)
            except Exception as error:
                self._failure = error
                raise
            self._away_since = None
            self._next_look = 0

    def _cause(self, error: Exception) -> Exception:
        if isinstance(self._failure, EventsError):
            return self._failure
        cause = failure(error, self.sink.table.paths.target)
        if isinstance(cause, PublishError):
            return cause
        try:
            self._choose_start()  # refuses another topic, or one that lacks records
        except EventsError as refusal:
            return refusal
        if any(said in str(error) for said in KAFKA_ERRORS):
            said = KAFKA_SAID.search(str(error))
            return BrokerUnavailable(
                f"Kafka at {self.source.brokers} does not answer as expected "
                f"({said[0] if said else 'records that are there are not sent'})"
            )
        return cause


def _stop(query: StreamingQuery) -> None:
    try:
        query.stop()
    except (PySparkException, Py4JError, ConnectionError) as error:
        log.debug("query not stopped in order", error=str(error))


def watching(watchdog: Watchdog, metrics: StreamMetrics) -> Watch:
    """Return what tells both of each step."""

    def watch(step: Step) -> None:
        watchdog.beat()
        metrics.reached(step)

    return watch


def build_run(
    settings: RunSettings,
    spark: SparkSession,
    table: Table,
    checkpoint: Checkpoint,
    *,
    contract: Contract[Any],
    metrics: StreamMetrics,
    watchdog: Watchdog,
) -> StreamRun:
    """Put the parts of the stream together."""
    table.watch = watching(watchdog, metrics)
    source = KafkaSource(
        spark,
        settings.brokers,
        settings.topic,
        max_records_per_batch=settings.records_per_batch(spark.sparkContext.defaultParallelism),
        security=client_security(settings),
    )
    window = timedelta(seconds=settings.deduplication_window)
    writer = RecordWriter(table, window, contract)
    ack_timeout = timedelta(seconds=settings.ack_timeout)
    return StreamRun(
        source=source,
        sink=BatchSink(writer, source, checkpoint, metrics, ack_timeout),
        trigger=None if settings.available_now else settings.trigger,
        broker_timeout=settings.broker_timeout,
        accept_loss=settings.accept_loss,
        watchdog=watchdog,
    )
