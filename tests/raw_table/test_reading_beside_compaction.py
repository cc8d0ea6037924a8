"""Readers while days are exchanged: those that go by the log miss nothing, others whole days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb
import pytest

from events_loadgen.processes.waiting import wait_until
from events_schema import StoredEvent
from events_schema.runtime.database import Database, read_steadily
from events_schema.tables.listing import list_table
from events_schema.tables.locations import duckdb_path
from events_stream import open_table
from events_stream.table.folder.compaction import compact, find_small_files
from events_stream.table.folder.open import open_beside_stream, open_for_maintenance
from stream_support.contracts import CONTRACT
from stream_support.envelopes import NOON, envelope
from stream_support.real_files import store_events

pytestmark = pytest.mark.extended

DAYS = [NOON - timedelta(days=days) for days in range(1, 3)]
ROUNDS = 10
SECONDS = 120.0

Ids = dict[str, set[str]]
"""Ids of events by day."""


@dataclass
class Rewritten:
    """A table of a few days; each round adds an event to each day and compacts them."""

    target: Path
    stored: Ids = field(default_factory=lambda: {str(day.date()): set() for day in DAYS})
    """The events that every reader must see."""
    expected: Ids = field(default_factory=lambda: {str(day.date()): set() for day in DAYS})
    """These, and those that are being stored."""
    reads: int = 0
    """How often it was read."""
    over: bool = False
    """Whether nobody reads any more."""

    def store(self) -> None:
        """Add an event to each day."""
        events = [CONTRACT.stored.from_envelope(envelope(event_time=day)) for day in DAYS]
        self._add(self.expected, events)
        store_events(open_beside_stream(str(self.target)), events)
        self._add(self.stored, events)

    @staticmethod
    def _add(ids: Ids, events: Sequence[StoredEvent]) -> None:
        for event in events:
            assert event.event_time is not None
            assert event.event_id is not None
            ids[str(event.event_time.date())].add(event.event_id)

    def rewrite(self) -> int:
        """Compact the table in each round; return how many folders were exchanged."""
        exchanged = 0
        for _ in range(ROUNDS):
            self.store()
            with open_for_maintenance(str(self.target), "a test") as table:
                found = find_small_files(table, NOON.date())
                exchanged += len(list(compact(table, found)))
            before = self.reads
            wait_until(partial(self._is_read_again, before), "a reader", seconds=SECONDS)
        return exchanged

    def _is_read_again(self, before: int) -> bool:
        return self.over or self.reads > before


@pytest.fixture
def table(tmp_path: Path) -> Rewritten:
    """A table with an event of each day."""
    with open_table(str(tmp_path / "raw")):
        pass
    table = Rewritten(tmp_path / "raw")
    table.store()
    return table


def copied(ids: Ids) -> Ids:
    """Return a copy that another thread does not change."""
    return {day: {*known} for day, known in ids.items()}


def by_day(rows: Sequence[tuple[str, str]]) -> Ids:
    """Return the ids of these rows, each of which has another one."""
    assert max(Counter(rows).values(), default=1) == 1, "a row twice"
    ids: Ids = {str(day.date()): set() for day in DAYS}
    for event_id, day in rows:
        ids[day].add(event_id)
    return ids


def by_log(target: Path) -> Ids:
    """Read the files that the table's log lists."""

    def read(database: Database, files: Sequence[Path]) -> Ids:
        query = "SELECT event_id, event_date::VARCHAR FROM read_parquet($files)"
        return by_day(database.ask(query, files=[duckdb_path(path) for path in files]))

    return read_steadily(lambda: list_table(target).files, read)


def by_pattern(target: Path) -> Ids | None:
    """Read all files as users do; None if one was not found."""
    query = f"SELECT event_id, event_date::VARCHAR FROM '{target}/**/*.parquet'"
    try:
        with duckdb.connect() as connection:
            return by_day(connection.execute(query).fetchall())
    except duckdb.IOException as error:
        if "No such file" not in str(error):
            raise
        return None


def reading(table: Rewritten, done: Future[int]) -> Counter[str]:
    """Read until `done`, and check what each reader sees; count what patterns gave."""
    seen = Counter[str]()
    while not done.done():
        before = copied(table.stored)
        found, by_name = by_log(table.target), by_pattern(table.target)
        after = copied(table.expected)
        for day in after:
            assert before[day] <= found[day] <= after[day]
        for day, ids in ({} if by_name is None else by_name).items():
            assert not ids or before[day] <= ids <= after[day], f"a part of {day}"
            seen["days" if ids else "missed days"] += 1
        table.reads += 1
    return seen


def test_no_reader_sees_a_part_of_a_day_or_a_row_twice(table: Rewritten) -> None:
    """Readers by the log see every row; by a file pattern, whole days or a not-found."""
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(table.rewrite)
        try:
            seen = reading(table, done)
        finally:
            table.over = True
        assert done.result() == ROUNDS * len(DAYS)
    assert seen["days"] > ROUNDS
