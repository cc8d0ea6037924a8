"""What the campaign has erased: which events and failed events may never be seen again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from faults_support.sender import EPOCH, MICROSECOND


class Gone(NamedTuple):
    """What is erased at one moment."""

    before: Mapping[int, int]
    """By user: rows received before this time, in microseconds, are erased."""
    until: Mapping[int, int]
    """By user: when the erasure was over."""
    values: Collection[bytes]
    """The values of erased failed events."""

    def has(self, user_id: int, received_time: int) -> bool:
        """Return whether a row of this user, received at this time, is erased."""
        return received_time < self.before.get(user_id, 0)

    def has_ended(self, user_id: int, received_time: int) -> bool:
        """Return whether all of the user's earlier rows were gone at this time."""
        return received_time >= self.until.get(user_id, 0)


NOTHING = Gone({}, {}, frozenset())


@dataclass
class Erased:
    """What is erased; it grows with each erasure that has succeeded."""

    gone: Gone = field(default=NOTHING)
    """Replaced and never changed, so that each look compares with what was erased before it."""

    def add(
        self, users: Collection[int], begun: datetime, over: datetime, values: Iterable[bytes]
    ) -> None:
        """Add `users`, erased from `begun` until `over`, and the values of their failed events."""
        self.gone = Gone(
            {**self.gone.before, **dict.fromkeys(users, (begun - EPOCH) // MICROSECOND)},
            {**self.gone.until, **dict.fromkeys(users, (over - EPOCH) // MICROSECOND)},
            {*self.gone.values, *values},
        )


def traces(folder: Path, gone: Gone) -> list[str]:
    """Return what is left of erased users in any parquet file below `folder`, by its path."""
    return [
        f"{path.relative_to(folder)}: {trace}"
        for path in sorted(folder.rglob("*.parquet"))
        for trace in _traces(path, gone)
    ]


def _traces(path: Path, gone: Gone) -> Iterator[str]:
    rows = pq.ParquetFile(path).read()
    if "user_id" in rows.column_names:
        columns: list[list[Any]] = [rows[name].to_pylist() for name in ("user_id", "received_time")]
        for user, received in set(zip(*columns, strict=True)):
            if gone.has(user, (received - EPOCH) // MICROSECOND):
                yield f"user {user}, received at {received}"
    if "value" in rows.column_names:
        yield from (f"{value!r}" for value in {*rows["value"].to_pylist()} & {*gone.values})
