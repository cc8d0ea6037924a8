"""Lists the files of the raw table and of its failed events.

If a stream was killed while it renamed the files of a commit into the table, some of them are there
and others are not, until the next start. The log knows: a commit is listed whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from events_schema.runtime.errors import SourceMissing, TableDamaged
from events_schema.tables.commit_log import (
    Entry,
    commit_numbers,
    fold_numbers,
    numbered,
    read_entries,
)
from events_schema.tables.locations import plain_files
from events_schema.tables.partitions import partition_files
from events_schema.tables.paths import TablePaths


class _File(BaseModel):
    final: str


class _Commit(Entry):
    staging: str = ""
    table_files: tuple[_File, ...] = ()
    failed_files: tuple[_File, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def added(self) -> set[str]:
        """The files that it adds."""
        return {file.final for file in (*self.table_files, *self.failed_files)}

    def is_placed(self, paths: TablePaths) -> bool:
        """Return whether all files that it adds are in the table; then, it removes others."""
        staging = paths.staging / (self.staging or numbered(self.number))
        return not staging.is_dir() or all((paths.target.parent / f).exists() for f in self.added)


class _Fold(Entry):
    table_files: dict[str, _File]
    failed_files: dict[str, _File]


@dataclass(frozen=True)
class _Logged:
    """What the log says: the table's files, and those that its newest commit adds or removes."""

    files: frozenset[Path]
    changing: frozenset[Path]
    number: int
    """The number of the newest commit."""
    placed: bool
    """Whether all files that it adds were in the table."""


def table_files(target: Path) -> list[Path]:
    """Return the files of the raw table at `target`, or of a plain folder, sorted.

    Raises `SourceMissing` if the log may not be read, and `TableDamaged` if it cannot be read, if a
    file is missing, or if one is there that it does not list. A table without a log, as in a copy,
    is listed like a plain folder.
    """
    paths = TablePaths(target)
    return _list(paths, target, lambda: {*partition_files(target), *plain_files(target)})


def failed_files(folder: Path) -> list[Path]:
    """Return the files of the failed events in `folder`, sorted, as `table_files` does."""
    target = folder.with_name(folder.name.removesuffix(".failed"))
    if target == folder:
        return plain_files(folder)
    return _list(TablePaths(target), folder, lambda: set(plain_files(folder)))


def _list(paths: TablePaths, folder: Path, look: Callable[[], set[Path]]) -> list[Path]:
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
        return sorted(there)
    files = {path for path in logged.files if path.is_relative_to(folder)}
    _check(paths, files, there, logged)
    return sorted(files)


def _is_current(logged: _Logged | None, paths: TablePaths) -> bool:
    """Return whether the log still says what it said, without reading all of it."""
    newest = max([*fold_numbers(paths.log), *commit_numbers(paths.log)], default=-1)
    if logged is None or newest != logged.number:
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
        fold, commits = read_entries(paths.log, -1, _Fold, _Commit)
        if fold is None and not commits:
            return None
        finals = {*fold.table_files, *fold.failed_files} if fold else set()
        changing: set[str] = set()
        number, placed = (fold.number if fold else -1), True
        for commit in commits:
            changing = {*commit.removed, *commit.added}
            number, placed = commit.number, commit is not commits[-1] or commit.is_placed(paths)
            if placed:
                finals.difference_update(commit.removed)
                finals.update(commit.added)
    except PermissionError as error:
        raise SourceMissing(
            f"cannot read {error.filename}: {error.strerror}; give this user the right to read "
            f"{paths.control}, which says which files the table has"
        ) from None
    for final in finals:
        if Path(final).parts[0] not in {paths.target.name, paths.failed.name}:
            raise TableDamaged(
                f"the log {paths.log} lists {final}, so it belongs to a table with another name; "
                f"give the folders of a table the names that they had"
            )
    folder = paths.target.parent
    return _Logged(
        frozenset(folder / final for final in finals),
        frozenset(folder / final for final in changing),
        number,
        placed,
    )
