"""Rewrites the many small files of closed days, and of the failed events, into few large ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from events_schema import EventsError
from events_schema.runtime.errors import DatabaseFailed, TableDamaged
from events_stream.errors import RowsDiffer
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.part import Part, split
from events_stream.table.folder.rewriting import (
    FILE_BYTES,
    FILES_AT_ONCE,
    file_count,
    rewrite,
)
from events_stream.table.folder.rows import Rows, events, failed_events
from events_stream.table.folder.state import TableState
from events_stream.table.folder.table import Table

log = structlog.get_logger()

SMALL_BYTES = FILE_BYTES // 2
"""Larger files are left as they are."""


@dataclass(frozen=True)
class SmallFiles:
    """Small files of one folder that are worth rewriting."""

    part: Part
    bytes: int

    @property
    def files_after(self) -> int:
        """About how many files they will be."""
        return file_count(self.bytes)


@dataclass(frozen=True)
class Compacted:
    """A compacted folder: its files before, and how many there are now."""

    before: SmallFiles
    files: int


def first_open_day(now: datetime, older_than: timedelta) -> date:
    """Return the first day that did not end `older_than` or longer ago."""
    return min(now - older_than, now).astimezone(UTC).date()


def find_small_files(table: Table, before: date) -> list[SmallFiles]:
    """Return the small files of the days before `before`, and of the failed events.

    A folder is named if it has at least two. Raises `TableDamaged` if a file is missing.
    """
    with table.writing():
        state = table.state
        days = [each for each in split(state.table_files.values()) if _is_before(each, before)]
        parts = [*days, *split(state.failed_files.values())]
        found = [each for part in parts for each in _small_files(table, part)]
    return [each for each in found if len(each.part.files) > 1]


def _is_before(part: Part, before: date) -> bool:
    return (part.day or "") < before.isoformat()  # the partition without a day sorts after all


def _small_files(table: Table, part: Part) -> Iterator[SmallFiles]:
    if len(part.files) < 2:  # noqa: PLR2004  # one file is as few as possible
        return
    sizes = [path.stat().st_size for path in table.locate(part.files)]
    small = [each for each in zip(part.files, sizes, strict=True) if each[1] < SMALL_BYTES]
    for start in range(0, len(small), FILES_AT_ONCE):
        some = small[start : start + FILES_AT_ONCE]
        files = tuple(file for file, _ in some)
        yield SmallFiles(Part(part.folder, files), sum(size for _, size in some))


def compact(table: Table, found: Sequence[SmallFiles]) -> Iterator[Compacted]:
    """Rewrite what `find_small_files` returned, one folder after the other, and yield each result.

    Each is a commit of its own: if the process is killed, the folders before are compacted, and the
    others are as before. A folder from which a file was removed meanwhile is left out. Damaged
    folders are skipped; the first error is raised at the end: `TableDamaged`, `RowsDiffer` or
    `DatabaseFailed`. `PublishError` is raised at once.
    """
    failures: list[EventsError] = []
    for each in found:
        keep = failed_rows if each.part.day is None else partial(event_rows, table.state)
        try:
            rewritten = rewrite(table, each.part, CommitKind.COMPACTION, keep)
        except (TableDamaged, RowsDiffer, DatabaseFailed) as error:
            log.warning("skipped a folder", folder=each.part.folder, error=str(error))
            failures.append(error)
            table.refresh()  # raises if it is the log that is damaged
            continue
        if rewritten is not None:
            yield Compacted(each, len(rewritten.files))
    if failures:
        raise failures[0]


def event_rows(state: TableState, files: list[Path]) -> Rows:
    """Return all events in `files`."""
    return events(files, state.own_types, ())


def failed_rows(files: list[Path]) -> Rows:
    """Return all failed events in `files`."""
    return failed_events(files, None)
