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

    def is_finished(self, paths: TablePaths) -> bool:
        """Return whether all of its files are in the table."""
        return not (paths.staging / (self.staging or numbered(self.number))).is_dir()


class _Fold(Entry):
    table_files: dict[str, _File]
    failed_files: dict[str, _File]


def table_files(target: Path) -> list[Path]:
    """Return the files of the raw table at `target`, or of a plain folder, sorted.

    Raises `TableDamaged` if the log cannot be read, or if there are files that the stream did not
    write. A table without a log, such as a copy, is listed like a plain folder.
    """
    there = [*partition_files(target), *plain_files(target)]
    logged = _logged_files(TablePaths(target))
    if logged is None:
        return sorted(there)
    foreign = [path for path in there if path not in logged and not _OWN_NAME.fullmatch(path.name)]
    if foreign:
        raise TableDamaged(
            f"{foreign[0]} is not in the log of the table {target}, so events-stream did not write "
            f"it; move it away"
        )
    return sorted(path for path in logged if path.is_relative_to(target))


def failed_files(folder: Path) -> list[Path]:
    """Return the files of the failed events in `folder`, sorted, as `table_files` does."""
    target = folder.with_name(folder.name.removesuffix(".failed"))
    logged = _logged_files(TablePaths(target)) if target != folder else None
    if logged is None:
        return plain_files(folder)
    return sorted(path for path in logged if path.is_relative_to(folder))


def _logged_files(paths: TablePaths) -> set[Path] | None:
    """Return the files of the finished commits; None if there is no commit."""
    fold, commits = read_entries(paths.log, -1, _Fold, _Commit)
    if fold is None and not commits:
        return None
    finals = {*fold.table_files, *fold.failed_files} if fold else set()
    for commit in commits:
        finals.difference_update(commit.removed)
        if commit is not commits[-1] or commit.is_finished(paths):
            finals.update(file.final for file in (*commit.table_files, *commit.failed_files))
    return {paths.target.parent / final for final in finals}
