"""Rewrites files of a folder of the table, while a stream may change the table.

The new files are written without the lock for writing, and compared with the old ones. The lock is
held only while the folder is exchanged.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from events_schema import EventsError
from events_schema.runtime.database import MEMORY, Database, first_line, open_database
from events_schema.runtime.errors import DatabaseFailed, PublishError, TableDamaged
from events_schema.runtime.files import refusing_unwritable, remove_folder, sync_file
from events_schema.runtime.session.failures import disk_error
from events_schema.tables.locations import duckdb_path
from events_stream.errors import RowsDiffer
from events_stream.table.folder.change import Change
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.parquet import (
    DescribedFile,
    describe_events,
    describe_failed_events,
)
from events_stream.table.folder.part import Part
from events_stream.table.folder.rows import Rows, fingerprint, write
from events_stream.table.folder.table import Table
from events_stream.table.steps import Step

FILE_BYTES = 128 << 20
"""The approximate size of the new files."""
FILES_AT_ONCE = 5_000
"""The most files that are replaced in one step; DuckDB needs memory for each."""

_MEBIBYTE = 1 << 20

Keep = Callable[[list[Path]], Rows]
"""Returns the rows to keep of the files at these paths."""


@dataclass(frozen=True)
class Rewritten:
    """The new files of a part."""

    files: tuple[DescribedFile, ...]

    @property
    def rows(self) -> int:
        """The number of rows in the new files."""
        return sum(file.rows for file in self.files)


def paths_of(table: Table, part: Part) -> list[Path]:
    """Return the paths of the part's files."""
    return [table.paths.target.parent / file.final for file in part.files]


def file_count(size: int) -> int:
    """Return into how many files to write rows that take `size` bytes."""
    return max(round(size / FILE_BYTES), 1)


def rewrite(
    table: Table,
    part: Part,
    kind: CommitKind,
    keep: Keep,
    amend: Callable[[Change, int], None] = lambda *_: None,
) -> Rewritten | None:
    """Replace the files of `part` by files with those of their rows that `keep` selects.

    `amend` may add to the change before it is committed; it gets the number of rows that go.
    Returns None if the table has lost one of the files meanwhile; then nothing changes. Raises
    `PublishError`, `TableDamaged`, `RowsDiffer` or `DatabaseFailed`; then the table is as before.
    """
    try:
        with refusing_unwritable(table.paths.target), _work_folder(table) as work:
            rewritten = _write(table, part, keep, work)
            with table.change(kind) as change:
                if not change.has(part):
                    change.discard()
                    return None
                change.replace(part, work / "new", rewritten.files)
                amend(change, part.rows - rewritten.rows)
    except (duckdb.Error, PublishError) as error:
        if not _is_listed(table, part):
            return None
        raise _failure(error, table, part, keep) from error
    return rewritten


@contextmanager
def _work_folder(table: Table) -> Iterator[Path]:
    folder = table.paths.rewriting / secrets.token_hex(4)
    folder.mkdir()
    try:
        yield folder
    finally:
        remove_folder(folder)


def _write(table: Table, part: Part, keep: Keep, work: Path) -> Rewritten:
    """Write the rows to keep to the folder `new` in `work`, and compare them."""
    old, new = paths_of(table, part), work / "new"
    new.mkdir()
    with open_database(MEMORY, work / "spill") as database:
        size = _check_room(table, old)
        written = write(database, keep(old), new, file_count(size))
        for path in written:
            sync_file(path)
        table.watch(Step.REWRITTEN)
        describe = describe_failed_events if part.day is None else describe_events
        rewritten = Rewritten(tuple(describe(written)))
        _compare(database, part, keep, old, rewritten)
    table.watch(Step.COMPARED)
    return rewritten


def _check_room(table: Table, files: Sequence[Path]) -> int:
    """Return the size of `files` in bytes, after checking that as much is free."""
    size = sum(path.stat().st_size for path in files)
    free = shutil.disk_usage(table.paths.control).free
    if free < size:
        raise PublishError(
            f"{table.paths.control} has {free // _MEBIBYTE} MiB free, but the new files of "
            f"{files[0].parent.name} may take {size // _MEBIBYTE + 1} MiB; free some space and run "
            f"again; nothing is lost"
        )
    return size


def _compare(database: Database, part: Part, keep: Keep, old: list[Path], new: Rewritten) -> None:
    """Check that the old files have the rows that the log says, and the new ones those to keep."""
    (found,) = database.one(
        "SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata($files)",
        files=[duckdb_path(path) for path in old],
    )
    if found != part.rows:
        raise TableDamaged(
            f"the files in {old[0].parent} have {found} rows, but the log says {part.rows}; "
            f"restore them from a backup"
        )
    expected = fingerprint(database, keep(old))
    written = [file.path for file in new.files]
    if expected != (fingerprint(database, keep(written)) if written else (0, 0)) or (
        expected[0] != new.rows
    ):
        raise RowsDiffer(
            f"the new files of {old[0].parent} have other rows than the old ones; nothing was "
            f"changed; report this"
        )


def _is_listed(table: Table, part: Part) -> bool:
    """Return whether the table still has the files. Raises `TableDamaged` if one is missing."""
    with table.writing():
        listed = {**table.state.table_files, **table.state.failed_files}
        there = all(file.final in listed for file in part.files)
    if there:
        table.locate(part.files)
    return there


def _failure(
    error: duckdb.Error | PublishError, table: Table, part: Part, keep: Keep
) -> EventsError:
    if isinstance(error, PublishError):
        return error
    full = disk_error(error)
    if full is not None:
        said, way_out = full
        return PublishError(
            f"cannot write {table.paths.rewriting}: {said}; {way_out}, nothing is lost"
        )
    folder = table.paths.target.parent / part.folder
    said = first_line(error)
    if not isinstance(error, duckdb.OutOfMemoryException) and _is_unreadable(table, part, keep):
        return TableDamaged(
            f"cannot read the files in {folder}: {said}; restore them from a backup"
        )
    return DatabaseFailed(f"DuckDB failed on {folder}: {said}; nothing of it was changed")


def _is_unreadable(table: Table, part: Part, keep: Keep) -> bool:
    files = paths_of(table, part)
    if not all(os.access(path, os.R_OK) for path in files):
        return False
    try:
        with open_database(MEMORY) as database:
            fingerprint(database, keep(files))
    except duckdb.Error as error:
        return not isinstance(error, duckdb.OutOfMemoryException)
    return False
