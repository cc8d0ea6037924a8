"""Runs the streaming query: starts and stops it, and waits while Kafka is unavailable."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb
import structlog
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from events_schema import EventsError
from events_schema.runtime.errors import KafkaRefused, PublishError
from events_schema.runtime.session.failures import lost_java
from events_stream.errors import BrokerUnavailable, TopicMissing
from events_stream.kafka.offsets import Start
from events_stream.kafka.source import KafkaSource
from events_stream.kafka.topic import TopicNow
from events_stream.run.batch import BatchSink, QueryOutdated
from events_stream.run.erasures import close_erasures
from events_stream.run.pace import Pace
from events_stream.run.session import failure, java_ended
from events_stream.run.start import StartChooser
from events_stream.run.watchdog import POLL_SECONDS, Watchdog

LOOK_SECONDS = 10
"""Kafka is asked for the topic's end at least this often, to tell how far the table is behind."""
KAFKA_ERRORS = ("org.apache.kafka.common.errors.", "Cannot fetch record for offset", "KAFKA_DATA")
"""Texts in Spark's exceptions that mean that Kafka did not answer, or not as expected."""
KAFKA_SAID = re.compile(r"(?<=org\.apache\.kafka\.common\.errors\.)\w+(: [^\n]{1,200})?")

AWAY = (BrokerUnavailable, KafkaRefused, TopicMissing)
"""Errors that a running stream waits out; a topic is also missing while it is being recreated."""

log = structlog.get_logger()


class _Stopped(Exception):
    """Raised at the start of a micro-batch to skip it, because the query is ending."""


@dataclass
class StreamRun:
    """One run of the stream: a streaming query, which is restarted as often as necessary."""

    source: KafkaSource
    sink: BatchSink
    pace: Pace | None
    """When a micro-batch starts; None to store what is on the topic now and stop."""
    broker_timeout: float
    watchdog: Watchdog
    _stopping: threading.Event = field(default_factory=threading.Event)
    _storing: threading.Lock = field(default_factory=threading.Lock)
    _failure: Exception | None = None
    """The error of the current micro-batch; kept because Spark passes on only its text."""
    _ending: threading.Event = field(default_factory=threading.Event)
    """Whether the query is being stopped."""
    _resting: bool = False
    """Whether a stored micro-batch waits until it is time for the next one."""
    _next_look: float = 0
    _away_since: float | None = None
    """Since when Kafka has been unavailable; None once a batch is stored, or none is needed."""

    @property
    def _starts(self) -> StartChooser:
        return StartChooser(self.source, self.sink, self.watchdog)

    def run(self, stopping: threading.Event) -> None:
        """Run until `stopping` is set and the current micro-batch stored, or until all is stored.

        Raises `BrokerUnavailable` if Kafka does not answer at the start, or later for longer than
        `broker_timeout` seconds, `KafkaRefused` if it refuses the stream at the start,
        `SparkFailed` if Spark fails, `Stalled` if its Java process ends, and the errors of the
        sink.
        """
        self._stopping = stopping
        try:
            self._run_queries()
        except (Py4JError, ConnectionError) as error:
            if lost_java(error, self.source.spark):
                raise java_ended() from error
            raise
        finally:
            self._ending.set()
            with self._storing:  # Python aborts if it exits while one of its threads is in DuckDB
                self.source.close()

    def _run_queries(self) -> None:
        start = self._starts.choose()
        while not self._stopping.is_set():
            try:
                if self._run_query(start):
                    return
                start = self._starts.choose()
            except AWAY as error:
                log.warning(
                    "kafka is unavailable", wait_seconds=self.broker_timeout, error=str(error)
                )
                start = self._wait_for_kafka(error)

    def _wait_for_kafka(self, absence: EventsError) -> Start:
        self._away_since = self._away_since or time.monotonic()
        self.sink.metrics.looked_in_vain()
        while not self._stopping.is_set():
            if time.monotonic() - self._away_since > self.broker_timeout:
                raise BrokerUnavailable(
                    f"gave up after {self.broker_timeout:g} s: {absence}"
                ) from absence
            self.watchdog.pause()
            try:
                start = self._starts.choose()
            except AWAY:
                continue
            log.info("kafka is back")
            return start
        return Start({})

    def _run_query(self, start: Start) -> bool:
        """Run a query until it ends; return whether the run is over then."""
        query = None
        try:
            query = self._start(start)
            while not query.awaitTermination(POLL_SECONDS):
                if self._stopping.is_set() or self._is_outdated():
                    break
                self._note_progress(query)
            self._ending.set()
            with self._storing:  # the current micro-batch is stored before Spark is interrupted
                if self._failure is not None:
                    raise self._failure
            drained = not query.isActive and query.exception() is None
            return drained or self._stopping.is_set()
        except (PySparkException, Py4JJavaError, duckdb.Error, QueryOutdated) as error:
            if self._failure is None and self._stopping.is_set():
                return True
            cause = self._cause(error)
            if isinstance(cause, QueryOutdated):
                return self._stopping.is_set()
            raise cause from error
        finally:
            self._ending.set()
            if query is not None:
                _stop(query)

    def _is_outdated(self) -> bool:
        """Look at the topic if it is time, and return whether the query must start again."""
        if time.monotonic() <= self._next_look:
            return False
        self._next_look = time.monotonic() + LOOK_SECONDS
        state, now = self.sink.table.state, datetime.now(UTC)
        try:
            topic = self.source.look()
        except AWAY:  # Spark notices it as well, and then the query ends
            self.sink.metrics.looked_in_vain()
            return False
        acknowledged_before = now - self.sink.ack_timeout
        self._close_erasures(topic, acknowledged_before)
        self.sink.metrics.looked(state, topic.lag(state.position.next_offsets), acknowledged_before)
        return self.sink.outdated(topic)

    def _close_erasures(self, topic: TopicNow, acknowledged_before: datetime) -> None:
        if self._storing.acquire(blocking=False):  # a micro-batch closes them itself
            try:
                close_erasures(self.sink.table, topic, acknowledged_before)
            finally:
                self._storing.release()

    def _note_progress(self, query: StreamingQuery) -> None:
        waiting = query.status["message"].startswith("Waiting") or self._resting
        if waiting and not self._storing.locked():
            self.watchdog.beat()  # during a micro-batch, its steps call this
            self._away_since = None

    def _start(self, start: Start) -> StreamingQuery:
        self._failure, self._ending = None, threading.Event()
        self.sink.checkpoint.begin()
        self.sink.start = start
        self.sink.drains_from = datetime.now(UTC) if self.pace is None else None
        stream = self.source.read_stream(start.offsets)
        writer = stream.writeStream.foreachBatch(self._store)
        writer = writer.option("checkpointLocation", str(self.sink.checkpoint.plans))
        if self.pace is None:
            return writer.trigger(availableNow=True).start()
        return writer.trigger(processingTime="0 seconds").start()

    def _store(self, records: DataFrame, batch: int) -> None:
        with self._storing:
            if self._ending.is_set() or self._stopping.is_set():
                raise _Stopped
            try:
                offsets = self.sink(records, batch)
            except Exception as error:
                self._failure = error
                raise
            self._away_since = None
            self._next_look = 0
        if self.pace is not None and not self.sink.leaves_records(offsets):
            self._rest(self.pace.rest(offsets.planned_at, datetime.now(UTC)))

    def _rest(self, seconds: float) -> None:
        """Wait until it is time for the next micro-batch, or the query is being stopped."""
        self._resting = True
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stopping.is_set():
            if self._ending.wait(min(left, POLL_SECONDS)):
                break
        self._resting = False

    def _cause(self, error: Exception) -> Exception:
        if isinstance(self._failure, EventsError | QueryOutdated):
            return self._failure
        cause = failure(error, self.sink.table.paths.target)
        if isinstance(cause, PublishError):
            return cause
        try:
            with self._storing:
                start = self._starts.choose()  # refuses a topic that was replaced or lacks records
        except EventsError as refusal:
            return refusal
        if start.leaders != self.sink.start.leaders:
            return QueryOutdated()  # Kafka may have cut off what Spark was reading
        if any(said in str(error) for said in KAFKA_ERRORS):
            said = KAFKA_SAID.search(str(error))
            return BrokerUnavailable(
                f"Kafka at {self.source.brokers} does not answer as expected "
                f"({said[0] if said else 'it does not send records that it has'})"
            )
        return cause


def _stop(query: StreamingQuery) -> None:
    try:
        query.stop()
    except (PySparkException, Py4JError, ConnectionError) as error:
        log.debug("the query could not be stopped cleanly", error=str(error))
