"""Compacts a line's table and erases users from it, with processes that may die at a step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from events_loadgen.processes.waiting import wait_until
from events_stream.table.folder.log import read_state
from events_stream.table.folder.part import split
from faults_support.checks import Checks
from faults_support.faults import Death, Erasing
from faults_support.killable_command import DEADLINE
from faults_support.line import Line

AGAIN_SECONDS = 0.5
"""How often events of the users are posted again while they are erased."""


class Task(Protocol):
    """A command that is run until it succeeds."""

    def is_ready(self, death: Death | None, /) -> bool:
        """Return whether the table has enough for the command to die there."""

    def run(self, death: Death | None) -> None:
        """Run the command, and check that it dies there, or without a death, that it succeeds."""

    def end(self) -> None:
        """Check what it did, once it has succeeded."""


class Compacting:
    """Compacts the days before today, and the failed events."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def is_ready(self, death: Death | None, /) -> bool:
        """Return whether enough folders have files to compact."""
        state = read_state(self._line.paths.log)
        today = datetime.now(UTC).date().isoformat()
        folders = split([*state.table_files.values(), *state.failed_files.values()])
        found = [each for each in folders if (each.day or "") < today and len(each.files) > 1]
        return len(found) >= (death.nth if death else 1)

    def run(self, death: Death | None) -> None:
        """Run the command."""
        command = self._line.start_compaction(death)
        command.wait_for_end()
        command.check_end()

    def end(self) -> None:
        """Check nothing: the readers look at the table all the while."""


class ErasingUsers:
    """Erases users of a line's table. Meanwhile and afterwards, their events are posted again."""

    def __init__(self, line: Line, checks: Checks, fault: Erasing) -> None:
        self._line, self._checks, self._fault = line, checks, fault
        self._sender = checks.sender
        self._events: dict[str, int] = {}
        self._failed: dict[int, bytes] = {}
        self._before = read_state(line.paths.log).number

    def is_ready(self, _: Death | None, /) -> bool:
        """Return whether users are chosen; choose them once the table has rows."""
        if not self._events and (rows := self._checks.read("DuckDB").rows):
            row = rows[round(self._fault.shares[0] * (len(rows) - 1))]
            sent = list(self._sender.sent)
            drawn = [sent[round(share * (len(sent) - 1))] for share in self._fault.shares]
            self._events = {id_: self._sender.sent[id_].user_id for id_ in (*drawn, row.event_id)}
            if self._fault.failed and self._line.garbage_users:
                user = min(self._line.garbage_users)  # the newest
                self._failed = {user: self._line.garbage_users.pop(user)}
        return bool(self._events)

    def run(self, death: Death | None) -> None:
        """Run the command."""
        command = self._line.start_erasing([*self._events.values(), *self._failed], death)

        def ended() -> bool:
            self._sender.post_again(self._events)
            return not command.runs()

        wait_until(ended, "the end of erasing", seconds=DEADLINE, every=AGAIN_SECONDS)
        command.check_end()

    def end(self) -> None:
        """Check the receipts, and from now on, that the users are gone."""
        state = read_state(self._line.paths.log)
        *attempts, receipt = (each for each in state.erasures if each.number > self._before)
        assert all(each.closed for each in attempts), "a receipt of a killed command is open"
        assert receipt.finished, "the receipt of a command that succeeded is unfinished"
        users = [*self._events.values(), *self._failed]
        over = datetime.now(UTC)
        self._checks.erased.add(users, receipt.erased_at, over, self._failed.values())
        self._sender.post_again(self._events)
        wait_until(self._sender.has_posted_again, "events to be posted again", seconds=DEADLINE)
