"""A raw table with a log, whose days are changed as events-stream changes them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from analytics_support.own_fields import DEFAULT, write_raw
from events_schema import Contract, StoredEvent
from events_schema.runtime.files import create_new, exchange
from events_schema.tables.commit_log import COMMIT_FORMAT, commit_path, numbered
from events_schema.tables.listing import list_table
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import FileChange, Snapshot, StagedFile, StoredFile

COMMITTED = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass(frozen=True)
class LoggedTable:
    """The raw table at `target`, with the own fields of `contract`."""

    target: Path
    contract: Contract[Any] = DEFAULT

    @property
    def snapshot(self) -> Snapshot:
        """The table as its log says."""
        return list_table(self.target).snapshot or Snapshot()

    def files(self, day: str) -> list[StoredFile]:
        """Return the files of a day."""
        return [file for file in self.snapshot.table_files.values() if file.day == day]

    def rows(self, day: str) -> list[StoredEvent]:
        """Return the rows of a day."""
        return [row for file in self.files(day) for row in self.rows_of([file.final])]

    def rows_of(self, finals: Iterable[str]) -> list[StoredEvent]:
        """Return the rows of these files."""
        tables = [pq.read_table(self._path(final), partitioning=None) for final in finals]
        return [
            self.contract.stored.model_validate(row)
            for table in tables
            for row in table.to_pylist()
        ]

    def store(self, rows: Sequence[StoredEvent]) -> None:
        """Commit a batch, with one new file for each day."""
        days: dict[str, list[StoredEvent]] = {}
        for row in rows:
            days.setdefault(day_of(row), []).append(row)
        number = self.snapshot.number + 1
        files = [
            self._write(f"{self._folder(day)}/{numbered(number)}-0-{index:04}.parquet", each, None)
            for index, (day, each) in enumerate(days.items())
        ]
        self._commit(FileChange(number=number, committed_at=COMMITTED, table_files=tuple(files)))

    def rewrite(self, day: str, rows: Sequence[StoredEvent]) -> None:
        """Commit an exchange of the folder of a day by one with one file, with these rows."""
        old = self.files(day)
        number = self.snapshot.number + 1
        staging = TablePaths(self.target).staging / f"{numbered(number)}-0"
        final = f"{self._folder(day)}/{numbered(number)}-0-0000.parquet"
        new = self._write(final, rows, max(file.newest_commit for file in old), staging / "new")
        removed = tuple(file.final for file in old)
        change = FileChange(
            number=number,
            committed_at=COMMITTED,
            staging=staging.name,
            table_files=(new,),
            removed=removed,
            exchanged=self._folder(day),
        )
        self._commit(change)
        exchange(staging / "new", self._path(self._folder(day)))
        shutil.rmtree(staging)

    def compact(self, day: str) -> None:
        """Rewrite a day with all of its rows."""
        self.rewrite(day, self.rows(day))

    def erase(self, day: str, user_id: int) -> None:
        """Rewrite a day without the rows of a user."""
        self.rewrite(day, [row for row in self.rows(day) if row.user_id != user_id])

    def expire(self, day: str) -> None:
        """Commit the removal of a day."""
        removed = tuple(file.final for file in self.files(day))
        number = self.snapshot.number + 1
        self._commit(FileChange(number=number, committed_at=COMMITTED, removed=removed))
        shutil.rmtree(self._path(self._folder(day)))

    def _folder(self, day: str) -> str:
        return f"{self.target.name}/event_date={day}"

    def _path(self, final: str) -> Path:
        return self.target.parent / final

    def _write(
        self,
        final: str,
        rows: Sequence[StoredEvent],
        rows_up_to: int | None,
        folder: Path | None = None,
    ) -> StagedFile:
        """Write a file to `folder`, or into the table; return the commit's entry."""
        path = folder / Path(final).name if folder else self._path(final)
        write_raw(path, self.contract, rows)
        return StagedFile(staged=final, final=final, rows=len(rows), rows_up_to=rows_up_to)

    def _commit(self, change: FileChange) -> None:
        log = TablePaths(self.target).log
        log.mkdir(parents=True, exist_ok=True)
        change = change.model_copy(
            update={"format": COMMIT_FORMAT, "own_types": dict(self.contract.own_types)}
        )
        create_new(commit_path(log, change.number), change.model_dump_json().encode())


def day_of(row: StoredEvent) -> str:
    """Return the day of a row, as in a folder's name."""
    return f"{row.event_time:%Y-%m-%d}" if row.event_time else "__HIVE_DEFAULT_PARTITION__"
