"""A separate line for a campaign: broker, collector and stream. Each can be killed."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from uuid import uuid4

from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.ports import free_port
from events_schema import FailureReason
from events_schema.avro import MARKER
from events_schema.tables.paths import TablePaths
from faults_support.killable_stream import KillableStream
from faults_support.schedule import StepDeath
from faults_support.shared_java import SharedJava
from ingest_support.collector_process import CollectorProcess, running_collector
from line_support.topics import Topics
from stream_support.contracts import CONTRACT
from stream_support.quick_start import quick_java, quick_start

MOST_PARTITIONS = 8


class Line:
    """A line in `folder`: a context manager that starts broker and collector, and ends all."""

    def __init__(self, folder: Path) -> None:
        self.broker = LocalBroker(folder / "kafka")
        self.topics = Topics(self.broker.bootstrap)
        self.paths = TablePaths(folder / "raw")
        self.partitions = 2
        self.garbage: dict[bytes, FailureReason] = {}
        """Records on the topic that are not valid events, and why."""
        self.streams: list[KillableStream] = []
        """All streams so far; the last one may be running."""
        self._folder = folder
        self._port = free_port()
        self._collector = ExitStack()
        self._java: SharedJava | None = None
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with self._running as starting:
            starting.enter_context(self.broker)
            self.topic = self.topics.create(self.partitions)
            self.start_collector()
            starting.push(self._collector)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self.streams:
            self._running.callback(stream.kill)
        self._running.close()

    @property
    def url(self) -> str:
        """The collector's address. It stays the same after a restart."""
        return f"http://127.0.0.1:{self._port}"

    def add_partition(self) -> None:
        """Add a partition to the topic, unless it has many."""
        if self.partitions < MOST_PARTITIONS:
            self.partitions += 1
            self.topics.add_partitions(self.topic, self.partitions)

    def start_collector(self) -> CollectorProcess:
        """Start the collector and wait until it accepts events."""
        return self._collector.enter_context(
            running_collector(
                self.broker.bootstrap,
                self.topic,
                self._folder,
                "--allow-anonymous",
                port=self._port,
            )
        )

    def kill_collector(self) -> None:
        """Kill the collector with SIGKILL."""
        self._collector.close()

    def start_stream(
        self, death: StepDeath | None = None, *, shared: bool = False
    ) -> KillableStream:
        """Start a stream, after adding invalid records to the topic.

        It starts its own Java process, or with `shared` runs in the line's shared one.
        """
        self._spoil()
        environment = self._shared_java().environment if shared else None
        # fmt: off
        command = [
            sys.executable, "run", "--brokers", self.broker.bootstrap, "--topic", self.topic,
            "--target", str(self.paths.target), "--checkpoint", str(self._folder / "checkpoint"),
            "--trigger", "1 second", *quick_start(self.broker.bootstrap),
        ]
        # fmt: on
        log = self._folder / f"stream-{len(self.streams):04d}.log"
        self.streams.append(KillableStream(command, log, death, environment))
        return self.streams[-1]

    def _shared_java(self) -> SharedJava:
        if self._java is None:
            options = quick_java(self.broker.bootstrap)
            java = SharedJava(options, self._folder / "java.log")
            self._java = self._running.enter_context(java)
        return self._java

    @property
    def stream(self) -> KillableStream | None:
        """The running stream, if any."""
        return self.streams[-1] if self.streams and self.streams[-1].runs() else None

    def _spoil(self) -> None:
        text = b"garbage-" + uuid4().bytes
        header = MARKER + next(iter(CONTRACT.schemas))
        spoilt = {
            text: FailureReason.NOT_SINGLE_OBJECT,
            MARKER + text: FailureReason.UNKNOWN_SCHEMA,
            header + text: FailureReason.UNREADABLE_BODY,
        }
        self.garbage.update(spoilt)
        self.topics.produce(self.topic, list(spoilt))
