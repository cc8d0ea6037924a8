"""Chooses where a query starts, after checking that the table was filled from this topic."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from events_stream.errors import CutUnknown, TopicCut
from events_stream.kafka.epochs import before
from events_stream.kafka.offsets import Start, choose_start
from events_stream.kafka.source import KafkaSource
from events_stream.kafka.topic import TopicNow
from events_stream.records.heartbeat import beating
from events_stream.run.batch import BatchSink
from events_stream.run.erasures import cut_erasures
from events_stream.run.watchdog import Watchdog
from events_stream.table.folder.state import TableState
from events_stream.table.position import Epochs

CUT_SECONDS = 10
"""How long a topic may appear too short, or led by an earlier leader: after a broker has come back,
or while one has not heard of the new leader, it does."""


@dataclass(frozen=True)
class StartChooser:
    """Chooses where the next query starts, and stores in the table what Kafka lost before that."""

    source: KafkaSource
    sink: BatchSink
    watchdog: Watchdog

    def choose(self) -> Start:
        """Return where to start. Raises the errors of `choose_start`, of Kafka and of the table."""
        deadline = time.monotonic() + CUT_SECONDS
        while True:
            try:
                return self._choose()
            except (TopicCut, CutUnknown):
                if time.monotonic() > deadline:
                    raise
                self.watchdog.pause()

    def _choose(self) -> Start:
        topic = self.source.look()
        state = self.sink.table.state
        state.position.check_source(topic.identity)
        start = self._start_in(topic, state)
        if start.lost or start.cuts:
            self.sink.accept(start)
        cut_erasures(self.sink.table, self.source, topic)
        return start

    def _start_in(self, topic: TopicNow, state: TableState) -> Start:
        epochs = self._epochs(topic, state)
        cuts = self.source.find_cuts(state.position.next_offsets, epochs, topic)
        start = choose_start(
            state.position.next_offsets, topic, cuts, accept_loss=self.sink.accept_loss
        )
        kept = {p: before(each, cuts[p]) if p in cuts else each for p, each in epochs.items()}
        return replace(start, epochs={p: each for p, each in kept.items() if each})

    def _epochs(self, topic: TopicNow, state: TableState) -> Epochs:
        """Return the leader epochs of what was read; a table of an earlier version has none."""
        read = {
            p: range(topic.earliest.get(p, end), end)
            for p, end in state.position.next_offsets.items()
        }
        unknown = {
            p: offsets
            for p, offsets in read.items()
            if offsets and p not in state.position.leader_epochs and offsets.stop <= topic.latest[p]
        }
        with beating(self.source.spark, self.watchdog.beat):
            return self.source.extend(state.position.leader_epochs, unknown)
