"""Makes tables of many minutes: one that is compacted each day, and one that never is."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bench.stream.minutes import SOURCE, Minute, describe, fill, minutes_of, written
from events_schema.runtime.files import create_new
from events_schema.tables.commit_log import fold_path, numbered
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import StagedFile
from events_stream import open_table
from events_stream.settings import CompactSettings
from events_stream.table.folder.commit import Commit, CommitKind
from events_stream.table.folder.compaction import compact, find_small_files, first_open_day
from events_stream.table.folder.open import open_for_maintenance
from events_stream.table.folder.staging import Staging
from events_stream.table.folder.state import TableState
from events_stream.table.position import Counts

WITHOUT_DISK = "/dev/shm"  # noqa: S108  # measured: a commit takes 1 ms there, and 16 ms on a disk
OLDER_THAN: timedelta = CompactSettings.model_fields["older_than"].default
PROGRESS_DAYS = 30

Tell = Callable[[str], None]


def make_compacted(target: Path, days: int, tell: Tell) -> None:
    """Make a table of `days` days at `target`, with a commit for each minute.

    It was compacted at the end of each day but the last, when a day has most files: the last two
    days still have a file for each minute. It is made in memory, and then copied.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=WITHOUT_DISK, prefix="events-bench-") as made:
        folder = Path(made)
        with open_table(str(folder / target.name)) as table:
            for day in range(days):
                if day:
                    _compact(table.paths, minutes_of(day)[0])
                with written(folder, day) as files:
                    for minute in minutes_of(day):
                        with table.change(CommitKind.BATCH) as change:
                            fill(change, minute, files)
                if (day + 1) % PROGRESS_DAYS == 0:
                    tell(f"{day + 1} days compacted daily: {time.monotonic() - began:.0f} s")
        shutil.copytree(folder, target.parent, dirs_exist_ok=True)


def _compact(paths: TablePaths, now: Minute) -> None:
    before = first_open_day(now.start, OLDER_THAN)
    with open_for_maintenance(str(paths.target), "bench") as table:
        for _ in compact(table, find_small_files(table, before)):
            pass


def make_never_compacted(target: Path, days: int, tell: Tell) -> None:
    """Make the same table at `target` as if it had never been compacted.

    Its log is one fold: 5,000 folds that list up to 525,600 files would take hours.
    """
    with open_table(str(target)) as table:
        paths = table.paths
    state = TableState()
    for day in range(days):
        state = state.after(_store_day(paths, day, state.position.totals.read))
        if (day + 1) % PROGRESS_DAYS == 0:
            tell(f"{day + 1} days never compacted")
    create_new(fold_path(paths.log, state.number), state.model_dump_json().encode())


def _store_day(paths: TablePaths, day: int, offset: int) -> Commit:
    """Put the files of a day into the table; return the sum of its commits."""
    events: list[StagedFile] = []
    failed: list[StagedFile] = []
    counts, minutes = Counts(), minutes_of(day)
    with written(paths.target.parent, day) as files:
        for minute in minutes:
            staging = Staging(paths.staging / f"{numbered(minute.number)}-bench", paths)
            added = describe(staging, minute)
            for file in (*added[0], *added[1]):
                path = paths.target.parent / file.final
                path.parent.mkdir(exist_ok=True)
                files.link(minute, path)
            events += added[0]
            failed += added[1]
            counts += minute.counts
    return Commit(
        number=minutes[-1].number,
        committed_at=minutes[-1].start,
        source=SOURCE,
        before={0: offset},
        after={0: offset + counts.read},
        counts=counts,
        table_files=tuple(events),
        failed_files=tuple(failed),
    )
