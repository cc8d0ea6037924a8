"""Lists the files of the raw table and of its failed events.

If a stream was killed while it renamed the files of a commit into the table, some of them are there
and others are not, until the next start. The log knows: a commit is listed whole or not at all.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from events_schema.runtime.errors import TableDamaged
from events_schema.tables.commit_log import Entry, numbered, read_entries
from events_schema.tables.locations import plain_files
from events_schema.tables.partitions import partition_files
from events_schema.tables.paths import TablePaths

_OWN_NAME = re.compile(r"\d{12}(-[0-9a-f]{8})?-\d{4}\.parquet")
"""The names of the files that the stream writes; before version 4 they had no token."""


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


def table_files(target: Path) -> list[Path]:
    """Return the files of the raw table at `target`, or of a plain folder, sorted.

    Raises `TableDamaged` if the log cannot be read, if a file is missing, or if there are files
    that the stream did not write. A table without a log, as in a copy, is listed like a plain
    folder.
    """
    paths = TablePaths(target)
    logged = _logged_files(paths)
    there = {*partition_files(target), *plain_files(target)}
    if logged is None:
        return sorted(there)
    files = {path for path in logged if path.is_relative_to(target)}
    if files - there and logged != _logged_files(paths):
        return table_files(target)  # the table was changed meanwhile
    for path in sorted(files - there):
        raise TableDamaged(
            f"{path} is missing, but listed in the log {paths.log}; restore it, or remove it from "
            f"the log with `events-stream expire --missing --apply`"
        )
    for path in sorted(there - files):
        if not _OWN_NAME.fullmatch(path.name):
            raise TableDamaged(
                f"{path} is not in the log {paths.log}, so events-stream did not write it; move it "
                f"away"
            )
    return sorted(files)


def failed_files(folder: Path) -> list[Path]:
    """Return the files of the failed events in `folder`, sorted, as `table_files` does."""
    target = folder.with_name(folder.name.removesuffix(".failed"))
    logged = _logged_files(TablePaths(target)) if target != folder else None
    if logged is None:
        return plain_files(folder)
    return sorted(path for path in logged if path.is_relative_to(folder))


def _logged_files(paths: TablePaths) -> set[Path] | None:
    """Return the files that the log lists, without a commit that is not placed; None if empty."""
    fold, commits = read_entries(paths.log, -1, _Fold, _Commit)
    if fold is None and not commits:
        return None
    finals = {*fold.table_files, *fold.failed_files} if fold else set()
    for commit in commits:
        if commit is not commits[-1] or commit.is_placed(paths):
            finals.difference_update(commit.removed)
            finals.update(commit.added)
    folders = {paths.target.name, paths.failed.name}
    for final in finals:
        if Path(final).parts[0] not in folders:
            raise TableDamaged(
                f"the log {paths.log} lists {final}, so it belongs to a table with another name; "
                f"give the folders of a table the names that they had"
            )
    return {paths.target.parent / final for final in finals}
