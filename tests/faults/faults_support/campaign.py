"""The fault campaign: kills parts of one line repeatedly and keeps checking its table."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime

from events_loadgen.processes.waiting import wait_until
from events_stream.errors import Stalled
from events_stream.table.folder.log import read_state
from events_stream.table.folder.open import open_beside_stream
from faults_support.checks import Checks, Stored
from faults_support.faults import (
    BrokerKill,
    CollectorKill,
    Compaction,
    Death,
    Erasing,
    Fault,
    Java,
    JavaKill,
    Maintenance,
    PartitionAdd,
    StepDeath,
    StreamKill,
    TopicCut,
)
from faults_support.killable_command import DEADLINE, KillableCommand
from faults_support.line import Line
from faults_support.losses import TopicLoss
from faults_support.maintenance import Compacting, ErasingUsers, Task
from faults_support.sender import Sender
from line_support.dropped_records import cut_log, filled_partitions


class Campaign:
    """Injects faults into a line under load; each method raises if something is wrong."""

    def __init__(self, line: Line, sender: Sender) -> None:
        self.line = line
        self.sender = sender
        self.kills: Counter[str] = Counter()
        self.checks = Checks(line, sender)
        self._frozen: list[KillableCommand] = []

    def strike(self, fault: Fault) -> None:
        """Inject `fault`; afterwards, the part has recovered or can be started again."""
        self.kills[fault.kind] += 1
        match fault:
            case StepDeath():
                self._die_at_a_step(fault)
            case StreamKill():
                self._kill_the_stream(fault)
            case JavaKill():
                self._kill_java(fault)
            case BrokerKill():
                self._kill_the_broker(fault)
            case CollectorKill():
                self._kill_the_collector(fault)
            case TopicCut():
                self._cut_the_topic(fault)
            case PartitionAdd():
                self._add_a_partition()
            case Compaction():
                self._maintain(fault, Compacting(self.line))
            case Erasing():
                self._maintain(fault, ErasingUsers(self.line, self.checks, fault))
            case _:
                raise NotImplementedError(fault.kind)

    def _die_at_a_step(self, fault: StepDeath) -> None:
        running = self.line.stream
        if running:
            running.stop()
        stream = self.line.start_stream(fault.death, shared=fault.java is Java.SHARED)

        def ended() -> bool:
            if stream.batches:
                self._resume_java()
            return not stream.runs()

        wait_until(ended, f"a death at {fault.death}", seconds=DEADLINE)
        stream.check_end()
        assert len(stream.said) == 1, stream.said
        self._leave_java(stream, fault.java)

    def _kill_the_stream(self, fault: StreamKill) -> None:
        stream = self.line.stream or self.line.start_stream()
        time.sleep(fault.after)  # the random moment of the schedule
        stream.check()
        if fault.java is Java.FROZEN:
            stream.freeze_java()
        stream.kill_python()
        self._leave_java(stream, fault.java)

    def _leave_java(self, stream: KillableCommand, java: Java) -> None:
        if java is Java.ENDED:
            stream.wait_for_java()
        elif java is Java.FROZEN:
            self._frozen.append(stream)

    def _resume_java(self) -> None:
        while self._frozen:
            self._frozen.pop().resume_java()

    def _running_stream(self) -> KillableCommand:
        """Return the running stream (started if needed) right after a batch."""
        stream = self.line.stream or self.line.start_stream()
        stream.wait_for_batch()
        self._resume_java()
        return stream

    def _kill_java(self, fault: JavaKill) -> None:
        stream = self._running_stream()
        time.sleep(fault.after)  # the random moment of the schedule
        stream.kill_java()
        stream.wait_for_end()
        assert stream.exit_code == Stalled.exit_code, f"{stream.exit_code}: {stream.said}"
        (line,) = stream.said
        assert line.startswith("events-stream: "), line

    def _kill_the_broker(self, fault: BrokerKill) -> None:
        stream = self._running_stream()
        self.line.broker.kill()
        time.sleep(fault.absent)
        self.line.broker.start()
        self._wait_for_new_events(stream)

    def _kill_the_collector(self, fault: CollectorKill) -> None:
        stream = self._running_stream()
        self.line.kill_collector()
        time.sleep(fault.absent)
        self.line.start_collector()
        self._wait_for_new_events(stream)

    def _cut_the_topic(self, fault: TopicCut) -> None:
        stream = self._running_stream()
        read = read_state(self.line.paths.log).position.next_offsets
        broker, at = self.line.broker, datetime.now(UTC)
        broker.kill()
        filled = filled_partitions(broker.folder, self.line.topic)
        partition = filled[fault.partition % len(filled)]
        records = cut_log(broker.folder, self.line.topic, partition, fault.share)
        broker.start()
        before = read.get(partition, 0)
        self.checks.losses.append(TopicLoss(partition, records[0][0], records, before, at))
        self._wait_for_new_events(stream)

    def _add_a_partition(self) -> None:
        stream = self._running_stream()
        self.line.add_partition()

        def read() -> bool:
            stream.check()
            offsets = read_state(self.line.paths.log).position.next_offsets
            return all(offsets.get(each, 0) > 0 for each in range(self.line.partitions))

        wait_until(read, "events from the new partition", seconds=DEADLINE)

    def _maintain(self, fault: Maintenance, task: Task) -> None:
        for death in (*fault.deaths, None):
            self._prepare(task, death, beside=fault.beside)
            task.run(death)
            if death:
                self.kills[f"{fault.kind} at {death.step}"] += 1
        task.end()

    def _prepare(self, task: Task, death: Death | None, *, beside: bool) -> None:
        """Start or kill the stream, once the table has what the command needs."""
        if not task.is_ready(death) or (beside and not self.line.stream):
            self._running_stream()
            wait_until(lambda: task.is_ready(death), "files for a command", seconds=DEADLINE)
        if self.line.stream and not beside:
            self.line.stream.kill_python()

    def _wait_for_new_events(self, stream: KillableCommand) -> None:
        """Wait until one more event is acknowledged, and then until a batch is stored."""
        before = len(self.sender.acknowledged)

        def acknowledged() -> bool:
            self.sender.check()
            return len(self.sender.acknowledged) > before

        wait_until(acknowledged, "an acknowledged event", seconds=DEADLINE)
        stream.wait_for_batch()

    def finish(self) -> Stored:
        """Wait until everything is stored, stop the stream, and compare what was sent and stored.

        Return what became of the records.
        """
        self.sender.stop()
        stream = self.line.stream or self.line.start_stream(shared=True)
        ends = self.line.topics.ends(self.line.topic)

        def stored() -> bool:
            stream.check()
            offsets = read_state(self.line.paths.log).position.next_offsets
            return all(offsets.get(partition, 0) >= end for partition, end in ends.items())

        wait_until(stored, "all records to be stored", seconds=DEADLINE)
        self._resume_java()
        stream.stop()
        for each in (*self.line.streams, *self.line.commands):
            each.wait_for_java()
        with open_beside_stream(str(self.line.paths.target)).writing():
            left = list(self.line.paths.staging.iterdir())
            assert left == [], f"left by killed streams: {left}"
        return self.checks.look_at_end()
