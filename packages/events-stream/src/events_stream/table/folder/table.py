"""The raw table: opens it safely, and changes it in one step.

A change takes effect when its commit is in the log. Right after that, its files are renamed into
place and the files that it removes are deleted. If the process is killed meanwhile, the next
change of the table finishes this first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from events_schema.runtime.errors import TableDamaged
from events_schema.runtime.files import (
    exchange,
    make_folders,
    refusing_unwritable,
    remove_folder,
    rename_new,
    sync_file,
    sync_folder,
)
from events_schema.runtime.locks import exclusive_lock
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import StoredFile
from events_stream.table.folder.change import Change
from events_stream.table.folder.commit import Commit, CommitKind
from events_stream.table.folder.erased import ErasedUsers
from events_stream.table.folder.log import CommitLog
from events_stream.table.folder.state import TableState
from events_stream.table.steps import Step, Watch, unwatched

log = structlog.get_logger()


class Table:
    """A table that this process may change. Use `open_table` or `open_beside_stream`."""

    def __init__(self, paths: TablePaths, watch: Watch = unwatched) -> None:
        self.paths = paths
        self.watch = watch
        self.beat: Callable[[], None] = lambda: None
        """Called now and then while a step makes progress."""
        self.erased = ErasedUsers(paths)
        """The users whose earlier records are dropped."""
        self._log = CommitLog(paths.log)

    @property
    def state(self) -> TableState:
        """The state after this process last read or changed the table; empty before that."""
        return self._log.state

    def refresh(self) -> None:
        """Read what other processes have committed. Raises `TableDamaged`."""
        self._log.refresh()

    @contextmanager
    def change(self, kind: CommitKind) -> Iterator[Change]:
        """Change the table in one step: the `Change` is stored when the context ends.

        Nothing is stored before that. If the context raises, is killed or calls `discard`, the
        table does not change. Locks the table and raises errors as `writing` does.
        """
        with self.writing():
            change = Change(kind, self.state, self.paths, self.watch)
            yield change
            if not change.discarded:
                commit = change.describe()
                self._store(commit)
                change.commit = commit

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock for writing; first finish the work of a process that was killed.

        Waits for a change by another process. Raises `PublishError` if a file cannot be written.
        """
        with (
            refusing_unwritable(self.paths.target),
            exclusive_lock(self.paths.control / "write.lock", "events-stream", waiting=_tell),
        ):
            self.watch(Step.BEGUN)
            self._recover()
            self.watch(Step.RECOVERED)
            yield

    def _recover(self) -> None:
        """Finish the last commit if its process died, and delete files that were not committed."""
        self._log.refresh()
        unfinished = self._log.unfinished(self.paths.staging)
        if unfinished:
            self._finish(unfinished)
        for folder in self.paths.staging.iterdir():
            remove_folder(folder)
        self.erased.tidy(self.state)
        self._fold()

    def _store(self, commit: Commit) -> None:
        """Commit a change whose files are in its staging folder. Raises `OSError`.

        If the process is killed before the log has the commit, nothing changes; after that, the
        whole change will be made.
        """
        self._sync_staged(commit)
        self.watch(Step.SYNCED)
        self._log.append(commit)
        self.watch(Step.COMMITTED)
        self._finish(commit)
        self.erased.tidy(self.state)
        self._fold()

    def _sync_staged(self, commit: Commit) -> None:
        staging = self.paths.staging / commit.staging_name
        staged = [staging / file.staged for file in commit.files]
        for path in staged:
            sync_file(path)
        parents = {path.parent for path in staged}
        for folder in parents | {staging / "table", staging / "exchanged", staging}:
            if folder.is_dir():
                sync_folder(folder)
        sync_folder(self.paths.staging)

    def _finish(self, commit: Commit) -> None:
        staging = self.paths.staging / commit.staging_name
        if commit.exchanged:
            self._exchange(commit, staging)
        else:
            self._place_files(commit, staging)
        remove_folder(staging)
        self.watch(Step.FINISHED)

    def _exchange(self, commit: Commit, staging: Path) -> None:
        folder = self._place(commit.exchanged)
        if not commit.is_placed(self.paths):
            if folder.is_dir():
                exchange(staging / "exchanged", folder)
            else:  # somebody removed it
                rename_new(staging / "exchanged", folder)
        for parent in (folder.parent, staging):
            sync_folder(parent)
        self.watch(Step.EXCHANGED)
        _remove_links(staging / "exchanged", folder)
        self._remove_empty(folder)

    def _place_files(self, commit: Commit, staging: Path) -> None:
        changed = {self._place(file.final).parent for file in commit.files}
        for folder in changed:
            make_folders(folder)
        for file in commit.files:
            _put_file(staging / file.staged, self._place(file.final))
            self.watch(Step.PLACED_ONE)
        for folder in changed:
            sync_folder(folder)
        self.watch(Step.PLACED)
        self._remove(commit.removed)
        self.watch(Step.REMOVED)

    def _remove(self, finals: Iterable[str]) -> None:
        folders = set()
        for path in map(self._place, finals):
            path.unlink(missing_ok=True)
            folders.add(path.parent)
        for folder in folders:
            self._remove_empty(folder)
        for folder in folders | {folder.parent for folder in folders}:
            if folder.is_dir():
                sync_folder(folder)

    def _remove_empty(self, folder: Path) -> None:
        if folder != self.paths.failed and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def _fold(self) -> None:
        if self._log.fold():
            self.watch(Step.FOLDED)
            self._log.tidy()
            self.watch(Step.TIDIED)

    def _place(self, final: str) -> Path:
        return self.paths.target.parent / final

    def locate(self, files: Iterable[StoredFile]) -> list[Path]:
        """Return the paths of `files`. Raises `TableDamaged` if one does not exist."""
        located = [self._place(file.final) for file in files]
        for path in located:
            if not path.exists():
                raise TableDamaged(
                    f"{path} is missing, but listed in the log; restore it, or remove it from the "
                    f"log with `events-stream expire --missing --apply`"
                )
        return located


def _remove_links(old: Path, new: Path) -> None:
    """Delete from the folder `old` the names of files that `new` has as well.

    They go before the others: a reader that lists the old folder while it is deleted must not take
    the files that stay for the whole day. The others are not found when it opens them.
    """
    if old.is_dir():
        for path in list(old.iterdir()):
            if (new / path.name).exists():
                path.unlink()


def _put_file(staged: Path, final: Path) -> None:
    try:
        rename_new(staged, final)
    except FileNotFoundError:
        if not final.exists():
            raise TableDamaged(f"{final} was committed but is missing; restore it") from None
    except FileExistsError:
        raise TableDamaged(
            f"{final} already exists, but this table's log did not add it; move it away"
        ) from None


def _tell(other: str) -> None:
    log.warning("waiting for another command that changes the table", holder=other)
