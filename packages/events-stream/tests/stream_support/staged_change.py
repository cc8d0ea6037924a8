"""Changes of a table for tests without Spark: text files, which the table never opens."""

from __future__ import annotations

from pathlib import Path

from events_schema.tables.commit_log import numbered
from events_schema.tables.snapshot import StagedFile
from events_stream.table.folder.change import Change
from events_stream.table.folder.commit import Commit, CommitKind
from events_stream.table.folder.table import Table
from events_stream.table.position import Counts, SourceIdentity
from stream_support.envelopes import NOON

SOURCE = SourceIdentity(cluster_id="c", topic="events", topic_id="t")


def store_batch(table: Table, days: int = 2) -> Commit:
    """Store a batch with one file per day and one file of failed events; return its commit."""
    with table.change(CommitKind.BATCH) as change:
        write_batch(change, days)
    return change.commit


def write_batch(change: Change, days: int = 2) -> None:
    """Write a batch with one file per day and one failed file, and set the fields of `change`."""
    staging = change.staging
    number = change.state.number + 1
    name = f"{numbered(number)}.parquet"
    events = []
    for day in range(days):
        staged = Path(f"table/event_date=2026-01-0{day + 1}/part.parquet")
        events.append(stored_file(staged, f"raw/{staged.parent.name}/{name}"))
    failed = stored_file(Path("failed/f.parquet"), f"raw.failed/{name}")
    for file in (*events, failed):
        path = staging.folder / file.staged
        path.parent.mkdir(parents=True)
        path.write_text(name)
    change.source = SOURCE
    change.after = {0: number + 1}
    change.counts = Counts(read=days + 1, stored=days, duplicates=0, failed=1)
    change.table_files = tuple(events)
    change.failed_files = (failed,)


def stored_file(staged: Path, final: str) -> StagedFile:
    """Return a file with one row that was received at noon."""
    return StagedFile(
        staged=str(staged), final=final, rows=1, earliest_received=NOON, latest_received=NOON
    )


def files(folder: Path) -> list[str]:
    """Return the paths of all files in `folder`, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
