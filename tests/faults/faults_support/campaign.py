"""The fault campaign: kills parts of one line repeatedly and keeps checking its table."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from signal import SIGKILL

from events_loadgen.processes.waiting import wait_until
from events_schema import DecodeError, EventEnvelope
from events_stream.errors import Stalled
from events_stream.table.folder.integrity import check_files
from events_stream.table.folder.log import read_state
from events_stream.table.folder.open import open_beside_stream
from events_stream.table.position import Counts
from faults_support import dying_stream
from faults_support.comparison import differences, missing, not_as_received, strangers
from faults_support.killable_stream import DEADLINE, KillableStream
from faults_support.line import Line
from faults_support.losses import TopicLoss, match
from faults_support.readers import READERS, Found
from faults_support.schedule import (
    BrokerKill,
    CollectorKill,
    Fault,
    Java,
    JavaKill,
    PartitionAdd,
    StepDeath,
    StreamKill,
    TopicCut,
)
from faults_support.sender import Sender
from line_support.dropped_records import cut_log, filled_partitions
from stream_support.contracts import CONTRACT


class Campaign:
    """Injects faults into a line under load; each method raises if something is wrong."""

    def __init__(self, line: Line, sender: Sender) -> None:
        self.line = line
        self.sender = sender
        self.kills: Counter[str] = Counter()
        self.rows = 0
        """The number of rows at the last look."""
        self.losses: list[TopicLoss] = []
        self._frozen: list[KillableStream] = []

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
            case _:
                raise NotImplementedError(fault.kind)

    def _die_at_a_step(self, fault: StepDeath) -> None:
        running = self.line.stream
        if running:
            running.stop()
        stream = self.line.start_stream(fault, shared=fault.java is Java.SHARED)

        def ended() -> bool:
            if stream.batches:
                self._resume_java()
            return not stream.runs()

        wait_until(ended, f"a death at {fault.step}", seconds=DEADLINE)
        assert stream.exit_code == -SIGKILL, f"{stream.exit_code}: {stream.said}"
        assert stream.said == [dying_stream.notice(fault.step)], stream.said
        self._leave_java(stream, fault.java)

    def _kill_the_stream(self, fault: StreamKill) -> None:
        stream = self.line.stream or self.line.start_stream()
        time.sleep(fault.after)  # the random moment of the schedule
        stream.check()
        if fault.java is Java.FROZEN:
            stream.freeze_java()
        stream.kill_python()
        self._leave_java(stream, fault.java)

    def _leave_java(self, stream: KillableStream, java: Java) -> None:
        if java is Java.ENDED:
            stream.wait_for_java()
        elif java is Java.FROZEN:
            self._frozen.append(stream)

    def _resume_java(self) -> None:
        while self._frozen:
            self._frozen.pop().resume_java()

    def _running_stream(self) -> KillableStream:
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
        self.losses.append(TopicLoss(partition, records[0][0], records, before, at))
        self._wait_for_new_events(stream)

    def _add_a_partition(self) -> None:
        stream = self._running_stream()
        self.line.add_partition()

        def read() -> bool:
            stream.check()
            offsets = read_state(self.line.paths.log).position.next_offsets
            return all(offsets.get(each, 0) > 0 for each in range(self.line.partitions))

        wait_until(read, "events from the new partition", seconds=DEADLINE)

    def _wait_for_new_events(self, stream: KillableStream) -> None:
        """Wait until one more event is acknowledged, and then until a batch is stored."""
        before = len(self.sender.acknowledged)

        def acknowledged() -> bool:
            self.sender.check()
            return len(self.sender.acknowledged) > before

        wait_until(acknowledged, "an acknowledged event", seconds=DEADLINE)
        stream.wait_for_batch()

    def look(self) -> None:
        """Compare what each reader sees now with the events that were sent."""
        for reader in READERS:
            self.rows = len(self._read(reader).rows)
        others = strangers(self.line.paths.target)
        assert others == [], f"unexpected files in the table's folder: {others}"

    def _read(self, reader: str) -> Found:
        found = READERS[reader](self.line.paths)
        wrong = differences(found, self.sender.sent, self.line.garbage)
        assert wrong == [], f"{reader} sees {wrong}"
        return found

    def finish(self) -> Counts:
        """Wait until everything is stored, stop the stream, and compare what was sent and stored.

        Return the counts of the records.
        """
        self.sender.stop()
        stream = self.line.stream or self.line.start_stream(shared=True)

        def stored() -> bool:
            stream.check()
            return self._missing(self._read("DuckDB")) == []

        wait_until(stored, "all acknowledged events to be stored", seconds=DEADLINE, every=1)
        self._resume_java()
        stream.stop()
        for each in self.line.streams:
            each.wait_for_java()
        with open_beside_stream(str(self.line.paths.target)).writing():
            left = list(self.line.paths.staging.iterdir())
            assert left == [], f"left by killed streams: {left}"
        self.look()
        return self._compare_with_topic()

    def _missing(self, found: Found) -> list[str]:
        lost = match(self.losses, read_state(self.line.paths.log).position.cuts).unread
        ids = {envelope.event_id for envelope in map(_envelope, lost) if envelope}
        acknowledged = self.sender.acknowledged - ids
        return missing(found, acknowledged, self.line.garbage.keys() - {*lost})

    def _compare_with_topic(self) -> Counts:
        state = read_state(self.line.paths.log)
        lost = match(self.losses, state.position.cuts)
        records = [*self.line.topics.values(self.line.topic), *lost.read]
        received = [envelope for envelope in map(_envelope, records) if envelope]
        check_files(self.line.paths, state)
        for reader in READERS:
            found = self._read(reader)
            absent = self._missing(found)
            assert absent == [], f"{reader} misses {absent}"
            events = {envelope.event_id for envelope in received}
            dropped = missing(found, events, self.line.garbage.keys() & {*records})
            assert dropped == [], f"{reader} misses {dropped}, which were read"
            altered = not_as_received(found, received)
            assert altered == [], f"{reader} sees rows that are not on the topic: {altered}"
            counted = Counts(
                read=len(records),
                stored=len(found.rows),
                duplicates=len(received) - len(found.rows),
                failed=len(found.failed),
            )
            assert state.position.totals == counted, (
                f"{state.position.totals!r}, but {reader} sees {counted!r}"
            )
        return state.position.totals


def _envelope(value: bytes | None) -> EventEnvelope | None:
    try:
        return CONTRACT.decode(value)
    except DecodeError:
        return None
