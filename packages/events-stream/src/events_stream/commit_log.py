"""The table's log of commits: one JSON file each, numbered without a gap, never replaced."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from events_schema.posix import create_new
from events_stream.commit import Commit, Offsets, SourceIdentity, StoredFile
from events_stream.errors import OtherSource, TableDamaged


class CommitLog:
    """The commits in `folder`, read at the start and then kept in step with what is appended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.commits: list[Commit] = []
        self.refresh()

    def refresh(self) -> None:
        """Read the commits that are not known yet. Raises `TableDamaged`."""
        while (path := self._path(len(self.commits))).exists():
            self.commits.append(_read(path, len(self.commits)))
        beyond = [path for path in self._folder.glob("*.json") if path > self._last_path]
        if beyond:
            raise TableDamaged(
                f"the log {self._folder} lacks commit {len(self.commits)} but holds "
                f"{min(beyond).name}; restore the missing file"
            )

    @property
    def _last_path(self) -> Path:
        return self._path(len(self.commits) - 1)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.json"

    @property
    def last(self) -> Commit | None:
        """The newest commit, the only one that may be unfinished."""
        return self.commits[-1] if self.commits else None

    @property
    def next_offsets(self) -> Offsets:
        """The next offset of every partition that the table has read."""
        return self.last.after if self.last else {}

    def append(self, commit: Commit) -> None:
        """Make `commit` part of the log, in one step: after this its batch is stored."""
        create_new(self._path(commit.number), commit.model_dump_json(indent=1).encode())
        self.commits.append(commit)

    def check_source(self, source: SourceIdentity) -> None:
        """Refuse another topic or cluster than the table's. Raises `OtherSource`."""
        if self.last is None or self.last.source == source:
            return
        was, now = self.last.source, source
        for part in ("cluster_id", "topic", "topic_id"):
            if getattr(was, part) != getattr(now, part):
                raise OtherSource(
                    f"the table was filled from {part} {getattr(was, part)!r}, "
                    f"the broker has {getattr(now, part)!r}; "
                    f"give that source, or a new --target and --checkpoint"
                )

    def files_received_near(
        self, earliest: datetime, latest: datetime, window: timedelta
    ) -> list[StoredFile]:
        """Return the table's files that may hold rows received at most `window` away."""
        files = chain.from_iterable(commit.table_files for commit in self.commits)
        return [file for file in files if file.may_hold(earliest, latest, window)]


def _read(path: Path, number: int) -> Commit:
    try:
        commit = Commit.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise TableDamaged(f"commit {path} is unreadable: {error.errors()[0]['msg']}") from None
    if commit.number != number or commit.format != 1:
        raise TableDamaged(f"commit {path} says number {commit.number}, format {commit.format}")
    return commit
