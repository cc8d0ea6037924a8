"""The state of the table: the sum of its commits. Commits are folded into it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pydantic import model_validator

from events_schema import Contract
from events_schema.tables.commit_log import FOLD_FORMAT
from events_schema.tables.hours import Span, merged
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import Snapshot, StoredFile
from events_stream.table.erasure import Erasure
from events_stream.table.folder.commit import Commit, CommitKind
from events_stream.table.position import Counts, Position


class TableState(Snapshot):
    """The table after commit `number`; the number is -1 before the first commit."""

    format: int = FOLD_FORMAT
    position: Position = Position()
    erasures: tuple[Erasure, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_format(cls, fold: Any) -> Any:
        """Read formats 1 to 3, which have the fields of the position beside the others."""
        if isinstance(fold, dict) and "position" not in fold:
            fold = {**fold, "position": fold, "format": FOLD_FORMAT}
        return fold

    def after(self, commit: Commit) -> TableState:
        """Return the state after `commit`, which must be the next one."""
        table, failed = self.files_after(commit)
        before = self.position
        receipts = {each.number: each for each in (*self.erasures, *commit.erasures)}
        return TableState.model_construct(
            number=commit.number,
            committed_at=commit.committed_at,
            table_files=table,
            failed_files=failed,
            own_types=commit.own_types,
            erasures=tuple(receipts.values()),
            position=Position(
                source=commit.source,
                next_offsets=commit.after,
                leader_epochs=commit.leader_epochs,
                totals=before.totals + _added(commit),
                complete_up_to=commit.complete_up_to or before.complete_up_to,
                lost=(*before.lost, *commit.lost),
                cuts=(*before.cuts, *commit.cuts),
                empty_offsets=before.empty_offsets + commit.empty_offsets,
                backlog=commit.backlog,
            ),
        )

    @property
    def open_erasures(self) -> list[Erasure]:
        """The erasures of which Kafka may still have records."""
        return [each for each in self.erasures if not each.closed]

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
