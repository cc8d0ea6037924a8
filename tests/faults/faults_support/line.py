"""A separate line for a campaign: broker, collector and stream. Each can be killed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from uuid import uuid4

from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.ports import free_port
from events_schema import EventEnvelope, FailureReason
from events_schema.avro import MARKER
from events_schema.tables.paths import TablePaths
from faults_support.faults import Death
from faults_support.killable_command import KillableCommand
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
        self.garbage_users: dict[int, bytes] = {}
        """Those of the records in `garbage` that can be decoded, by user; the ids are negative."""
        self.streams: list[KillableCommand] = []
        """All streams so far; the last one may be running."""
        self.commands: list[KillableCommand] = []
        """All other commands so far; the last one may be running."""
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
        for command in (*self.streams, *self.commands):
            self._running.callback(command.kill)
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

    def start_stream(self, death: Death | None = None, *, shared: bool = False) -> KillableCommand:
        """Start a stream, after adding invalid records to the topic.

        It starts its own Java process, or with `shared` runs in the line's shared one.
        """
        self._spoil()
        environment = self._shared_java().environment if shared else None
        # fmt: off
        command = [
            "run", "--brokers", self.broker.bootstrap, "--topic", self.topic,
            "--target", str(self.paths.target), "--checkpoint", str(self._folder / "checkpoint"),
            "--trigger", "1 second", *quick_start(self.broker.bootstrap),
        ]
        # fmt: on
        log = self._folder / f"stream-{len(self.streams):04d}.log"
        self.streams.append(KillableCommand(command, log, death, environment))
        return self.streams[-1]

    def start_compaction(self, death: Death | None) -> KillableCommand:
        """Start to compact the days before today."""
        flags = ["--target", str(self.paths.target), "--older-than", "1 second", "--apply"]
        log = self._folder / f"compact-{len(self.commands):04d}.log"
        self.commands.append(KillableCommand(["compact", *flags], log, death))
        return self.commands[-1]

    def start_erasing(self, users: Sequence[int], death: Death | None) -> KillableCommand:
        """Start to erase `users`, in the shared Java process if no stream runs."""
        environment = None if self.stream else self._shared_java().environment
        # fmt: off
        command = [
            "erase", "--brokers", self.broker.bootstrap, "--target", str(self.paths.target),
            *(f"--user-id={user}" for user in users), "--apply",
            *quick_start(self.broker.bootstrap),
        ]
        # fmt: on
        log = self._folder / f"erase-{len(self.commands):04d}.log"
        self.commands.append(KillableCommand(command, log, death, environment))
        return self.commands[-1]

    def _shared_java(self) -> SharedJava:
        if self._java is None:
            options = quick_java(self.broker.bootstrap)
            java = SharedJava(options, self._folder / "java.log")
            self._java = self._running.enter_context(java)
        return self._java

    @property
    def stream(self) -> KillableCommand | None:
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
        user = -1 - len(self.streams)
        self.garbage_users[user] = _outside_contract(user)
        spoilt[self.garbage_users[user]] = FailureReason.OUTSIDE_CONTRACT
        self.garbage.update(spoilt)
        self.topics.produce(self.topic, list(spoilt))


def _outside_contract(user: int) -> bytes:
    """Return a record that can be decoded, with a text that the contract forbids."""
    now, name = datetime.now(UTC), "bad name"
    event = EventEnvelope(
        event_id=str(uuid4()),
        received_time=now,
        event_time=now,
        user_id=user,
        app_name=name,
        event_category="page",
    )
    return CONTRACT.encode(event).replace(name.encode(), b"bad\0name")
