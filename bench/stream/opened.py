"""Opens a table of minutes in a new process, and prints the seconds that this takes as JSON.

`list TARGET` lists its files, as readers do. `start TARGET MINUTE BATCHES` opens it as the stream
does, and stores batches of a minute each, the first of the minute with this number.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import events_stream.run.build  # noqa: F401  # what the stream loads is part of its memory
from bench.stream.minutes import Minute, complete, write_events
from events_schema.tables.listing import list_table
from events_schema.tables.partitions import PARTITION_COLUMN
from events_stream import Table, open_table
from events_stream.settings import RunSettings
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.deduplication import remove_copies
from events_stream.table.folder.parquet import describe_events

WINDOW = timedelta(seconds=RunSettings.model_fields["deduplication_window"].default)


def main() -> None:
    """Do what the first argument says, and print the seconds."""
    verb, target, *numbers = sys.argv[1:]
    if verb == "list":
        seconds: dict[str, object] = {"list": _timed(lambda: list_table(Path(target)))}
    else:
        first, batches = map(int, numbers)
        seconds = _start(target, first, batches)
    print(json.dumps(seconds))


def _start(target: str, first: int, batches: int) -> dict[str, object]:
    began = time.monotonic()
    with open_table(target) as table:
        start = time.monotonic() - began
        took = [_timed(partial(store, table, Minute(first + n))) for n in range(batches)]
    return {"start": start, "batches": took}


def _timed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def store(table: Table, minute: Minute) -> None:
    """Store the batch of `minute`: all that the stream does for it, except Spark's part."""
    with table.change(CommitKind.BATCH) as change:
        staging = change.staging
        day = staging.folder / "table" / f"{PARTITION_COLUMN}={minute.start.date()}"
        day.mkdir(parents=True)
        write_events(day / "part.parquet", minute)
        described = describe_events(staging.event_files)
        times = [span for file in described for span in file.received]
        near = table.locate(change.state.files_received_near(times, WINDOW))
        copies = remove_copies(staging.event_files, near, staging.folder / "spill")
        assert not copies, f"{copies} events are copies of stored ones"
        change.table_files = staging.describe(described)
        complete(change, minute)


if __name__ == "__main__":
    main()
