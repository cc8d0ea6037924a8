"""A table to compact, and what compaction makes of it."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from events_schema import Contract, StoredEvent
from events_stream import open_table
from events_stream.table.folder.compaction import compact, find_small_files
from events_stream.table.folder.open import open_for_maintenance
from events_stream.table.steps import Watch, unwatched
from stream_support.contracts import CONTRACT
from stream_support.envelopes import NOON, envelope
from stream_support.real_files import store_events

TOMORROW = NOON.date() + timedelta(days=1)


def stored(contract: Contract[Any] = CONTRACT, **fields: object) -> StoredEvent:
    """Return a row of an event at noon, or with these fields."""
    return contract.stored.from_envelope(envelope(contract=contract, **fields))  # type: ignore[arg-type]


def make_table(folder: Path) -> Path:
    """Make a table with three batches: each has events of yesterday and today, and a failed one."""
    with open_table(str(folder / "raw")) as table:
        for number in range(3):
            days = [NOON - timedelta(days=1, seconds=number), NOON - timedelta(seconds=number)]
            store_events(table, [stored(event_time=day) for day in days], [b"failed %d" % number])
    return folder / "raw"


def run(target: Path, before: date = TOMORROW, watch: Watch = unwatched) -> list[str]:
    """Compact the table, watched once its small files are found; return what changed."""
    with open_for_maintenance(str(target), "a test") as table:
        found = find_small_files(table, before)
        table.watch = watch
        return [each.before.part.folder for each in compact(table, found)]


def per_folder(target: Path) -> Counter[str]:
    """Return the number of files of each closed day, and of the failed events."""
    names = [path.parent.name for path in target.glob("*/*.parquet")]
    failed = target.with_name("raw.failed").glob("*.parquet")
    closed = [name for name in names if name < f"event_date={TOMORROW}"]
    return Counter([*closed, *(path.parent.name for path in failed)])
