"""Erases users: their rows, their failed events, and their records that are still on Kafka.

First a commit says that the erasure has begun. From then on the stream drops the users' records
that were received before, so what is left to erase is in the files that the table has then. They
are rewritten one folder after the other, each in a commit of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from events_schema.runtime.database import open_database
from events_stream.table.erasure import Erasure
from events_stream.table.folder.change import Change
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.parquet import FILES_PER_PIECE, pieces
from events_stream.table.folder.part import Part, split
from events_stream.table.folder.rewriting import FILES_AT_ONCE, rewrite
from events_stream.table.folder.rows import Rows, events, events_of, failed_events, failed_of
from events_stream.table.folder.state import TableState
from events_stream.table.folder.table import Table
from events_stream.table.position import Offsets

log = structlog.get_logger()

NameFailed = Callable[[list[Path]], Path]
"""Writes which failed events in these files are of the users; returns the folder of its files.

See `events_stream.table.folder.rows.failed_events`.
"""


@dataclass(frozen=True)
class OnKafka:
    """The records on Kafka: where the topic ends, and how long it keeps them; None if for ever."""

    ends: Offsets
    leader_epochs: Mapping[int, int]
    """The epochs of the partitions' leaders, as far as Kafka tells them."""
    retention: timedelta | None


Look = Callable[[], OnKafka | None]
"""Looks at Kafka; returns None if the topic no longer exists."""


@dataclass(frozen=True)
class Found:
    """Files with rows of the users, and how many such rows they have."""

    part: Part
    rows: int


@dataclass
class Eraser:
    """Erases `users` from `table`."""

    table: Table
    users: frozenset[int]
    name_failed: NameFailed
    _named: Path | None = None

    def find(self) -> list[Found]:
        """Return what `erase` would remove. Raises `TableDamaged` and `DatabaseFailed`."""
        with self.table.writing():
            parts = _parts(self.table.state)
        self._name_failed(parts)
        return [found for part in parts if (found := self._find(part))]

    def erase(self, look: Look) -> Erasure:
        """Erase the users, and return the receipt.

        If the process is killed, or this raises, run it again. Raises `PublishError`,
        `TableDamaged`, `RowsDiffer`, `DatabaseFailed` and the errors of `look`.
        """
        before, is_on_kafka = self._begin(look)
        number, parts = before.number + 1, _parts(before)
        self._name_failed(parts)
        for part in parts:
            self._erase_from(part, number)
        return self._finish(number, is_on_kafka=is_on_kafka)

    def _name_failed(self, parts: list[Part]) -> None:
        """Name the failed events of the users, without the lock for writing: it takes Spark."""
        failed = [file for part in parts if part.day is None for file in part.files]
        if failed:
            self._named = self.name_failed(self.table.locate(failed))

    def _begin(self, look: Look) -> tuple[TableState, bool]:
        """Commit the receipt; return the state before it, and whether the topic still exists.

        Files that come later are not touched.
        """
        with self.table.change(CommitKind.ERASURE) as change:
            kafka, now = look(), datetime.now(UTC)
            keeps = kafka.retention if kafka else None
            receipt = Erasure(
                number=change.state.number + 1,
                erased_at=now,
                topic_ends=dict(kafka.ends) if kafka else {},
                leader_epochs=dict(kafka.leader_epochs) if kafka else {},
                on_kafka_until=None if keeps is None else now + keeps,
            )
            change.erasures = (receipt, *self._included(change))
            self.table.erased.add(change.state, receipt.number, self.users)
        return change.state, kafka is not None

    def _included(self, change: Change) -> list[Erasure]:
        """Return the open receipts that this erasure includes, now closed.

        It has the same users, or more. Also those whose ids are lost are closed.
        """
        known = self.table.erased.read_known(change.state)
        for each in change.state.open_erasures:
            if each.number not in known:
                log.warning(
                    "the users of an erasure are lost; erase them again", begun=each.erased_at
                )
        return [
            each.close()
            for each in change.state.open_erasures
            if known.get(each.number, frozenset()) <= self.users
        ]

    def _erase_from(self, part: Part, number: int) -> None:
        """Erase the users from those files of `part` that the table still has."""

        def amend(change: Change, gone: int) -> None:
            rows, failed = (0, gone) if part.day is None else (gone, 0)
            receipt = _receipt(change, number).plus(rows=rows, failed=failed, day=part.day)
            change.erasures = (receipt,)

        keep = self._keep_failed if part.day is None else self._keep_events
        while found := self._find(part):
            some = Part(part.folder, found.part.files[:FILES_AT_ONCE])
            done = rewrite(self.table, some, CommitKind.ERASURE, keep, amend)
            if done is not None and some == found.part:
                return

    def _keep_events(self, files: list[Path]) -> Rows:
        return events(files, self.table.state.own_types, self.users)

    def _keep_failed(self, files: list[Path]) -> Rows:
        return failed_events(files, self._named)

    def _find(self, part: Part) -> Found | None:
        """Return those files of `part` that have rows of the users; None if none has."""
        with self.table.writing():  # no file disappears meanwhile
            state = self.table.state
            listed = {**state.table_files, **state.failed_files}
            files = [file for file in part.files if file.final in listed]
            if not files:
                return None
            rows = self._count(self.table.locate(files), failed=part.day is None)
        having = tuple(file for index, file in enumerate(files) if rows[index])
        return Found(Part(part.folder, having), rows.total()) if having else None

    def _count(self, files: list[Path], *, failed: bool) -> Counter[int]:
        """Return how many rows of the users each file has, by its index."""
        counts: Counter[int] = Counter()
        query = partial(events_of, users=self.users)
        if failed and self._named is not None:
            query = partial(failed_of, named=self._named)
        with open_database() as database:
            for number, piece in enumerate(pieces(files)):
                for index, rows in database.ask(query(piece)):
                    counts[number * FILES_PER_PIECE + index] += rows
        return counts

    def _finish(self, number: int, *, is_on_kafka: bool) -> Erasure:
        with self.table.change(CommitKind.ERASURE) as change:
            receipt = _receipt(change, number).model_copy(update={"finished": True})
            receipt = receipt if is_on_kafka else receipt.close()
            change.erasures = (receipt,)
        return receipt


def _parts(state: TableState) -> list[Part]:
    return split([*state.table_files.values(), *state.failed_files.values()])


def _receipt(change: Change, number: int) -> Erasure:
    return next(each for each in change.state.erasures if each.number == number)
