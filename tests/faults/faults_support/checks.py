"""Compares a line's table with what was sent, what Kafka lost and what was erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from events_schema import DecodeError, EventEnvelope
from events_stream.table.folder.integrity import check_files
from events_stream.table.folder.log import read_state
from events_stream.table.folder.state import TableState
from events_stream.table.position import Counts
from faults_support.comparison import differences, missing, not_as_received, strangers
from faults_support.erased import Erased, Gone, traces
from faults_support.line import Line
from faults_support.losses import Losses, TopicLoss, match
from faults_support.readers import READERS, Found, steadily
from faults_support.sender import EPOCH, MICROSECOND, Sender
from stream_support.contracts import CONTRACT


class Stored(NamedTuple):
    """What became of all records, and of what was stored."""

    records: Counts
    erased_rows: int
    erased_failed: int
    returned: int
    """Rows of erased users, received after the erasure."""


class Checks:
    """The checks of a line's table; each raises `AssertionError` if something is wrong."""

    def __init__(self, line: Line, sender: Sender) -> None:
        self.line = line
        self.sender = sender
        self.losses: list[TopicLoss] = []
        self.erased = Erased()
        self.rows = 0
        """The number of rows at the last look."""

    def look(self) -> None:
        """Compare what each reader sees now with the events that were sent."""
        for reader in READERS:
            self.rows = len(self.read(reader).rows)
        others = steadily(lambda: strangers(self.line.paths.target))
        assert others == [], f"unexpected files in the table's folder: {others}"

    def read(self, reader: str) -> Found:
        """Return what `reader` sees, after checking that nothing of it is wrong."""
        gone = self.erased.gone
        found = steadily(lambda: READERS[reader](self.line.paths))
        wrong = differences(found, self.sender.sent, self.line.garbage, gone)
        assert wrong == [], f"{reader} sees {wrong}"
        return found

    def look_at_end(self) -> Stored:
        """Compare everything, once all is stored and no process runs."""
        self.look()
        state, gone = read_state(self.line.paths.log), self.erased.gone
        check_files(self.line.paths, state)
        left = traces(self.line.paths.target.parent, gone)
        assert left == [], f"left of erased users: {left}"
        lost = match(self.losses, state.position.cuts)
        records = [*self.line.topics.values(self.line.topic), *lost.read]
        for reader in READERS:
            found = self.read(reader)
            self._check_rows(reader, found, records, lost)
            check_totals(state, found, records, gone)
        return Stored(
            state.position.totals,
            sum(each.rows for each in state.erasures),
            sum(each.failed for each in state.erasures),
            sum(row.user_id in gone.before for row in found.rows),
        )

    def _check_rows(
        self, reader: str, found: Found, records: Sequence[bytes | None], lost: Losses
    ) -> None:
        gone, sent = self.erased.gone, self.sender.acknowledged
        kept, erased = split(records, gone)
        excused = ids(split(lost.unread, gone)[0]) | ids(erased)
        garbage = self.line.garbage.keys() - gone.values
        absent = missing(found, sent - excused, garbage - {*lost.unread})
        assert absent == [], f"{reader} misses {absent}"
        dropped = missing(found, ids(due(kept, erased, gone)), garbage & {*records})
        assert dropped == [], f"{reader} misses {dropped}, which were read"
        altered = not_as_received(found, kept)
        assert altered == [], f"{reader} sees rows that are not on the topic: {altered}"


def check_totals(
    state: TableState, found: Found, records: Sequence[bytes | None], gone: Gone
) -> None:
    """Check that each record is stored, a copy, failed or erased.

    Whether a record of an erased user was dropped as a copy or as erased depends on the moment.
    """
    totals, (kept, erased) = state.position.totals, split(records, gone)
    stored = len(found.rows) + sum(each.rows for each in state.erasures)
    failed = len(found.failed) + sum(each.failed for each in state.erasures)
    assert (totals.read, totals.stored, totals.failed) == (len(records), stored, failed), totals
    assert totals.duplicates + totals.erased == len(records) - stored - failed, totals
    copies, events = len(kept) - len(ids(kept)), [*kept, *erased]
    assert copies <= totals.duplicates <= len(events) - len(ids(events)), (copies, totals)


def split(
    records: Sequence[bytes | None], gone: Gone
) -> tuple[list[EventEnvelope], list[EventEnvelope]]:
    """Return the events among the records: those to keep, and those that are erased."""
    kept: list[EventEnvelope] = []
    erased: list[EventEnvelope] = []
    for event in filter(None, map(_event, records)):
        (erased if gone.has(event.user_id, received(event)) else kept).append(event)
    return kept, erased


def due(
    kept: Sequence[EventEnvelope], erased: Sequence[EventEnvelope], gone: Gone
) -> list[EventEnvelope]:
    """Return those of the events to keep that must be stored.

    One that came again while it was erased may be a copy of the row that was still there.
    """
    known = ids(erased)
    return [
        event
        for event in kept
        if event.event_id not in known or gone.has_ended(event.user_id, received(event))
    ]


def received(event: EventEnvelope) -> int:
    """Return when `event` was received, in microseconds."""
    return (event.received_time - EPOCH) // MICROSECOND


def ids(events: Sequence[EventEnvelope]) -> set[str]:
    """Return the ids of `events`."""
    return {event.event_id for event in events}


def _event(value: bytes | None) -> EventEnvelope | None:
    try:
        return CONTRACT.decode(value)
    except DecodeError:
        return None
