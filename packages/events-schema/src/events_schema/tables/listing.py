"""Lists the files of the raw table and of its failed events.

If a stream was killed while it put the files of a commit into the table, some of them are there
and others are not, until the next start. The log knows: a commit is listed whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from events_schema.runtime.errors import SourceMissing, TableDamaged
from events_schema.tables.commit_log import commit_numbers, fold_numbers, read_entries
from events_schema.tables.locations import plain_files
from events_schema.tables.partitions import partition_files
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import FileChange, Snapshot, snapshot_after


@dataclass(frozen=True)
class Listing:
    """The files of a table at one moment, sorted, and the snapshot that lists them.

    The snapshot is None for a table without a log, such as a plain folder of parquet files.
    """

    files: list[Path]
    snapshot: Snapshot | None


@dataclass(frozen=True)
class _Logged:
    """What the log says: a snapshot, and the files that its newest commit adds or removes."""

    snapshot: Snapshot
    changing: frozenset[Path]
    newest: int
    """The number of the newest commit."""
    placed: bool
    """Whether all files that it adds were in the table."""


def list_table(target: Path) -> Listing:
    """List the files of the raw table at `target`, or of a plain folder.

    Raises `SourceMissing` if the log may not be read, and `TableDamaged` if it cannot be read, if a
    file is missing, or if one is there that it does not list. A table without a log, as in a copy,
    is listed like a plain folder.
    """
    paths = TablePaths(target)
    return _list(paths, target, lambda: {*partition_files(target), *plain_files(target)})


def table_files(target: Path) -> list[Path]:
    """Return the files that `list_table` lists."""
    return list_table(target).files


def failed_files(folder: Path) -> list[Path]:
    """Return the files of the failed events in `folder`, sorted, as `list_table` does."""
    target = folder.with_name(folder.name.removesuffix(".failed"))
    if target == folder:
        return plain_files(folder)
    return _list(TablePaths(target), folder, lambda: set(plain_files(folder))).files


def _list(paths: TablePaths, folder: Path, look: Callable[[], set[Path]]) -> Listing:
    while True:
        logged = _read_log(paths)
        try:
            there = look()
        except FileNotFoundError:
            if not folder.is_dir():
                raise
            continue  # a folder was removed with its last file
        if _is_current(logged, paths):
            break
    if logged is None:
        return Listing(sorted(there), None)
    listed = {**logged.snapshot.table_files, **logged.snapshot.failed_files}
    every = (paths.target.parent / final for final in listed)
    files = {path for path in every if path.is_relative_to(folder)}
    _check(paths, files, there, logged)
    return Listing(sorted(files), logged.snapshot)


def _is_current(logged: _Logged | None, paths: TablePaths) -> bool:
    """Return whether the log still says what it said, without reading all of it."""
    newest = max([*fold_numbers(paths.log), *commit_numbers(paths.log)], default=-1)
    if logged is None or newest != logged.newest:
        return logged is None and newest == -1
    return logged.placed or _read_log(paths) == logged


def _check(paths: TablePaths, files: set[Path], there: set[Path], logged: _Logged) -> None:
    for path in sorted(files - there):
        raise TableDamaged(
            f"{path} is missing, but listed in the log {paths.log}; restore it, or remove it from "
            f"the log with `events-stream expire --missing --apply`"
        )
    for path in sorted(there - files):
        if path not in logged.changing:
            raise TableDamaged(
                f"{path} is not in the log {paths.log}, which is an older copy or belongs to "
                f"another table; restore both from one copy, or move the file away"
            )


def _read_log(paths: TablePaths) -> _Logged | None:
    """Return what the log says, without a commit that is not placed; None if it is empty."""
    try:
        fold, commits = read_entries(paths.log, -1, Snapshot, FileChange)
        if fold is None and not commits:
            return None
        snapshot = fold or Snapshot()
        newest, changing, placed = snapshot.number, set[str](), True
        for commit in commits:
            changing = {*commit.removed, *(file.final for file in commit.files)}
            newest, placed = commit.number, commit is not commits[-1] or commit.is_placed(paths)
            if placed:
                snapshot = snapshot_after(snapshot, commit)
    except PermissionError as error:
        raise SourceMissing(
            f"cannot read {error.filename}: {error.strerror}; give this user the right to read "
            f"{paths.control}, which says which files the table has"
        ) from None
    for final in (*snapshot.table_files, *snapshot.failed_files):
        if Path(final).parts[0] not in {paths.target.name, paths.failed.name}:
            raise TableDamaged(
                f"the log {paths.log} lists {final}, so it belongs to a table with another name; "
                f"give the folders of a table the names that they had"
            )
    folder = paths.target.parent
    return _Logged(snapshot, frozenset(folder / final for final in changing), newest, placed)
