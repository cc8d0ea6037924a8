"""A change of the table in progress, from which its commit is made."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from events_schema.runtime.errors import PublishError, TableDamaged
from events_schema.runtime.files import remove_folder, take_after
from events_schema.tables.commit_log import numbered
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import StagedFile
from events_stream.table.erasure import Erasure
from events_stream.table.folder.commit import Commit, CommitKind
from events_stream.table.folder.parquet import DescribedFile
from events_stream.table.folder.part import Part, folder_of
from events_stream.table.folder.staging import Staging
from events_stream.table.folder.state import TableState
from events_stream.table.position import Backlog, Counts, Cut, Loss, SourceIdentity
from events_stream.table.steps import Step, Watch


class Change:
    """One change of the table. Open it with `Table.change`, and set the fields that change.

    A field that is not set stays unchanged in the table.
    """

    def __init__(self, kind: CommitKind, state: TableState, paths: TablePaths, watch: Watch):
        self.kind = kind
        self.state = state
        """The table before the change."""
        self.source: SourceIdentity | None = state.position.source
        """The topic of the records. Required for a table that has no source yet."""
        self.after = dict(state.position.next_offsets)
        """The next offset of each partition after the change."""
        self.counts = Counts()
        self.complete_up_to: datetime | None = None
        """Every event acknowledged before this is stored; None if unknown."""
        self.lost: tuple[Loss, ...] = ()
        """The records that the operator accepted as lost."""
        self.leader_epochs = dict(state.position.leader_epochs)
        """The leader epochs of the records that were read, by partition."""
        self.cuts: tuple[Cut, ...] = ()
        """What Kafka had cut off after it was read."""
        self.empty_offsets = 0
        """The offsets that have no record."""
        self.backlog: Backlog | None = state.position.backlog
        """What is left on the topic after the change; None if nothing is, or if it is unknown."""
        self.table_files: tuple[StagedFile, ...] = ()
        """The files that the change adds to the table."""
        self.failed_files: tuple[StagedFile, ...] = ()
        """The files that the change adds to the failed events."""
        self.removed: tuple[str, ...] = ()
        """The `final` of each file that the change removes."""
        self.exchanged = ""
        """The folder that the change replaces, if any; see `Commit.exchanged`."""
        self.erasures: tuple[Erasure, ...] = ()
        """The receipts that the change adds or changes."""
        self.own_types = state.own_types
        """The own columns of the table after the change."""
        self.discarded = False
        self.commit: Commit
        """The commit of this change. Set when the context ends, unless it was discarded."""
        self._paths = paths
        self._watch = watch
        self._staging: Staging | None = None

    @property
    def staging(self) -> Staging:
        """The folder for the files of the change, created on first use.

        Its name is new for each change. If Spark's Python process is killed, its Java process may
        keep writing for a moment, and must not write into the folder of the next attempt.
        """
        if self._staging is None:
            number = self.state.number + 1
            folder = self._paths.staging / f"{numbered(number)}-{secrets.token_hex(4)}"
            folder.mkdir()
            self._staging = Staging(folder, self._paths)
            self._watch(Step.STAGED)
        return self._staging

    def has(self, part: Part) -> bool:
        """Return whether the table still has all files of `part`."""
        listed = {**self.state.table_files, **self.state.failed_files}
        return all(file.final in listed for file in part.files)

    def replace(self, part: Part, new: Path, files: Sequence[DescribedFile]) -> None:
        """Replace the files of `part` by `files`, which are all that the folder `new` has.

        The other files of the part's folder stay: they get a second name in the new folder. Raises
        `TableDamaged` if the folder has a file that the table does not know, `PublishError` if it
        could not be exchanged later, and `OSError`.
        """
        listed, old = self._names_in(part.folder), self._paths.target.parent / part.folder
        _check_exchangeable(old, part)
        for unlisted in {path.name for path in old.iterdir()} - listed:
            raise TableDamaged(
                f"{old / unlisted} is not in the log {self._paths.log}, which is an older copy or "
                f"belongs to another table; restore both from one copy, or move the file away"
            )
        staged = self.staging.take(new, files, part)
        folder = self.staging.exchanged
        self.exchanged = part.folder
        self.removed = tuple(file.final for file in part.files)
        for name in listed - {Path(final).name for final in self.removed}:
            (folder / name).hardlink_to(old / name)
        for path in (self.staging.folder / file.staged for file in staged):
            take_after(path, self._paths.target.parent / part.files[0].final)
        take_after(folder, old)
        if part.day is None:
            self.failed_files = staged
        else:
            self.table_files = staged

    def _names_in(self, folder: str) -> set[str]:
        """Return the names of the files that the table has in `folder`."""
        every = (*self.state.table_files.values(), *self.state.failed_files.values())
        return {Path(file.final).name for file in every if folder_of(file) == folder}

    def discard(self) -> None:
        """Cancel this change, and delete the files that were written for it."""
        self.discarded = True
        if self._staging is not None:
            remove_folder(self._staging.folder)

    def describe(self) -> Commit:
        """Return the commit of this change. Raises `ValueError` if it has no source."""
        if self.source is None:
            raise ValueError("the first change of a table must name its source")
        return Commit(
            number=self.state.number + 1,
            kind=self.kind,
            committed_at=datetime.now(UTC),
            staging=self.staging.folder.name,
            source=self.source,
            before=self.state.position.next_offsets,
            after=self.after,
            counts=self.counts,
            complete_up_to=self.complete_up_to,
            lost=self.lost,
            leader_epochs=self.leader_epochs,
            cuts=self.cuts,
            empty_offsets=self.empty_offsets,
            backlog=self.backlog,
            table_files=self.table_files,
            failed_files=self.failed_files,
            removed=self.removed,
            exchanged=self.exchanged,
            erasures=self.erasures,
            own_types=self.own_types,
        )


def _check_exchangeable(old: Path, part: Part) -> None:
    """Check that the folder can be exchanged, and that this replaces the files themselves."""
    for path in (old, *(old / Path(file.final).name for file in part.files)):
        if path.is_symlink():
            raise PublishError(f"{path} is a symbolic link; replace it by what it links to")
    if not os.access(old, os.W_OK | os.X_OK):
        raise PublishError(f"cannot write {old}; run this as the user of the stream")
