"""The state of the table: the sum of its commits. Commits are folded into it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from events_schema import Contract
from events_schema.tables.commit_log import FOLD_FORMAT, Entry
from events_schema.tables.paths import TablePaths
from events_stream.errors import OtherSource
from events_stream.table.folder.commit import Commit, CommitKind, OwnTypes, StoredFile
from events_stream.table.folder.hours import Span, merged
from events_stream.table.position import Backlog, Counts, Cut, Epoch, Loss, SourceIdentity


class TableState(Entry):
    """The table after commit `number`; the number is -1 before the first commit."""

    format: int = FOLD_FORMAT
    number: int = -1
    committed_at: datetime | None = None
    source: SourceIdentity | None = None
    next_offsets: dict[int, int] = Field(default_factory=dict)
    """The next offset of each partition that was read."""
    totals: Counts = Counts()
    """All records ever read, including those of expired days."""
    complete_up_to: datetime | None = None
    """Every event acknowledged before this was stored."""
    lost: tuple[Loss, ...] = ()
    leader_epochs: dict[int, tuple[Epoch, ...]] = Field(default_factory=dict)
    """The leader epochs of the records that were read, by partition."""
    cuts: tuple[Cut, ...] = ()
    empty_offsets: int = 0
    backlog: Backlog | None = None
    table_files: dict[str, StoredFile] = Field(default_factory=dict)
    """The files of the table by `final`, in the order in which they were added."""
    failed_files: dict[str, StoredFile] = Field(default_factory=dict)
    own_types: OwnTypes = Field(default_factory=dict)

    def after(self, commit: Commit) -> TableState:
        """Return the state after `commit`, which must be the next one."""
        table, failed = dict(self.table_files), dict(self.failed_files)
        for final in commit.removed:
            table.pop(final, None)
            failed.pop(final, None)
        table.update((file.final, file.stored()) for file in commit.table_files)
        failed.update((file.final, file.stored()) for file in commit.failed_files)
        return TableState.model_construct(
            number=commit.number,
            committed_at=commit.committed_at,
            source=commit.source,
            next_offsets=commit.after,
            totals=self.totals + _added(commit),
            complete_up_to=commit.complete_up_to or self.complete_up_to,
            lost=(*self.lost, *commit.lost),
            leader_epochs=commit.leader_epochs,
            cuts=(*self.cuts, *commit.cuts),
            empty_offsets=self.empty_offsets + commit.empty_offsets,
            backlog=commit.backlog,
            table_files=table,
            failed_files=failed,
            own_types=commit.own_types,
        )

    @property
    def rows(self) -> int:
        """The number of rows in the table's files."""
        return sum(file.rows for file in self.table_files.values())

    def check_source(self, source: SourceIdentity) -> None:
        """Check that `source` is the table's topic and cluster. Raises `OtherSource`."""
        if self.source is None or self.source == source:
            return
        for part in ("cluster_id", "topic", "topic_id"):
            was, now = getattr(self.source, part), getattr(source, part)
            if was != now:
                raise OtherSource(
                    f"the table was filled from {part} {was!r}, but the broker has {now!r}; "
                    f"give the table's source, or a new --target and --checkpoint"
                )

    def check_contract(self, contract: Contract[Any], paths: TablePaths) -> None:
        """Check that `contract` has all own columns of the table. Raises `NotAnEvolution`."""
        contract.check_evolves(self.own_types, f"the table {paths.target}")

    def files_received_near(self, times: Iterable[Span], window: timedelta) -> list[StoredFile]:
        """Return the files that may have rows received at most `window` from one of `times`."""
        wanted = merged(set(times), window)
        return [file for file in self.table_files.values() if file.is_near(wanted, window)]


def _added(commit: Commit) -> Counts:
    """Return what `commit` adds to the totals; a replay's records were counted as read before."""
    if commit.kind is not CommitKind.REPLAY:
        return commit.counts
    again = commit.counts
    return again.model_copy(update={"read": 0, "failed": again.failed - again.read})
