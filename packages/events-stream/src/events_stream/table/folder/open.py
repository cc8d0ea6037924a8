"""Opens the raw table, and refuses folders that are not one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from events_schema.runtime.errors import PublishError
from events_schema.runtime.files import (
    check_renames,
    make_folders,
    refusing_unwritable,
    remove_folder,
)
from events_schema.runtime.locks import exclusive_lock
from events_schema.tables.partitions import partition_day
from events_schema.tables.paths import TablePaths
from events_stream.errors import NotOurs, TableMissing
from events_stream.table.folder.integrity import check_files
from events_stream.table.folder.table import Table
from events_stream.table.steps import Watch, unwatched

PATTERN_CHARACTERS = frozenset("*?[]{}\\")

CONTROL_ENTRIES = {
    *("log", "staging", "rewriting", "lock", "write.lock", "maintenance.lock"),
    *("erased.json", "erased.json.new"),
}


@contextmanager
def open_table(target: str, watch: Watch = unwatched) -> Iterator[Table]:
    """Open the table at `target` for a stream, and create it if it does not exist.

    Raises `PublishError` if it cannot be written, `NotOurs` if it contains other files,
    `TableDamaged` if log and files disagree, and `AlreadyLocked` if another stream has it open.
    """
    paths = _paths(target)
    with refusing_unwritable(paths.target):
        _refuse_foreign(paths)
        for folder in (paths.target, paths.log, paths.staging, paths.failed):
            make_folders(folder)
            _refuse_elsewhere(folder, paths.target)
    with exclusive_lock(paths.control / "lock", "events-stream"):
        table = Table(paths, watch)
        with table.writing():
            check_renames(paths.staging)
            check_files(paths, table.state)
        yield table


def open_beside_stream(target: str, watch: Watch = unwatched) -> Table:
    """Return an existing table to change, whether or not a stream runs.

    A running stream waits during the change. The files are not checked. Raises `TableMissing` and
    `PublishError`.
    """
    return Table(existing_table(target), watch)


@contextmanager
def open_for_maintenance(target: str, command: str, watch: Watch = unwatched) -> Iterator[Table]:
    """Open an existing table to rewrite its files, whether or not a stream runs.

    What an earlier command that was killed had written is deleted. Raises `TableMissing`,
    `PublishError` (also for root, if the table belongs to somebody else), `TableDamaged` if log and
    files disagree, and `AlreadyLocked` if another such command has the table open.
    """
    paths = existing_table(target)
    _refuse_root(paths)
    with (
        refusing_unwritable(paths.target),
        exclusive_lock(paths.control / "maintenance.lock", command),
    ):
        make_folders(paths.rewriting)
        _empty(paths.rewriting)
        table = Table(paths, watch)
        with table.writing():
            check_renames(paths.rewriting)
            check_files(paths, table.state)
        yield table
        _empty(paths.rewriting)


def _refuse_root(paths: TablePaths) -> None:
    """Refuse root if somebody else's stream fills the table: it could not change what root leaves.

    Raises `PublishError`.
    """
    owner = paths.log.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        raise PublishError(
            f"{paths.log} belongs to user {owner}, who could not change files that root leaves "
            f"behind if it is killed; run this command as that user, for example with "
            f"`sudo -u '#{owner}'`"
        )


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        remove_folder(entry)


def existing_table(target: str) -> TablePaths:
    """Return the paths of the table at `target`. Raises `TableMissing`, `PublishError`."""
    paths = _paths(target)
    if not paths.log.is_dir():
        raise TableMissing(
            f"there is no table at {paths.target} ({paths.log} is missing); "
            f"give the --target of `events-stream run`"
        )
    return paths


def _paths(target: str) -> TablePaths:
    paths = TablePaths.at(target)
    patterns = PATTERN_CHARACTERS & set(str(paths.target))
    if patterns:
        raise PublishError(
            f"--target {paths.target} contains {' '.join(sorted(patterns))}, which query engines "
            f"take for a pattern; give another folder"
        )
    return paths


def _refuse_foreign(paths: TablePaths) -> None:
    known = paths.log.is_dir() and any(paths.log.glob("*.json"))
    for entry in _entries(paths.target):
        if not known or partition_day(entry.name) is None:
            raise NotOurs(f"{entry} was not written by events-stream; give an empty --target")
    for entry in _entries(paths.control):
        if entry.name not in CONTROL_ENTRIES:
            raise NotOurs(f"{entry} was not written by events-stream; give another --target")


def _refuse_elsewhere(folder: Path, target: Path) -> None:
    if folder.stat().st_dev != target.stat().st_dev:
        raise PublishError(
            f"{folder} and {target} are on different file systems, and files cannot be renamed "
            f"from one to the other; put both on one file system"
        )


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []
