"""The table's log: one JSON file per commit, numbered without gaps and never replaced.

To keep the log small, `FOLD_COMMITS` commits at a time are folded into one file, the state of the
table after them, and then deleted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from events_schema.runtime.files import create_new
from events_stream.errors import TableDamaged
from events_stream.table.folder.commit import FORMAT, Commit, numbered
from events_stream.table.folder.state import FOLD_FORMAT, TableState

FOLD_COMMITS = 100
"""How many commits are folded at a time."""

READ_TRIES = 5
"""How often reading is tried if a writer folds the log at the same time."""

_FOLDED = ".folded.json"

Model = TypeVar("Model", bound=BaseModel)


class CommitLog:
    """The log in `folder`, up to the last commit that was read or appended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.state = TableState()
        self.last: Commit | None = None
        """The newest commit, the only one that may be unfinished; None after it was folded."""

    def refresh(self) -> None:
        """Read new commits. No other process may write meanwhile. Raises `TableDamaged`."""
        folded = max(self._numbers(_FOLDED), default=-1)
        if folded > self.state.number:
            path = self._folder / f"{numbered(folded)}{_FOLDED}"
            self.state, self.last = _read(path, TableState), None
            _check(path, self.state.number == folded, self.state.format, FOLD_FORMAT)
        commits = sorted(self._numbers(".json"))
        for number in commits:
            if number == self.state.number + 1:
                self.last = self._read_commit(number)
                self.state = self.state.after(self.last)
        if commits and commits[-1] > self.state.number:
            beyond = min(number for number in commits if number > self.state.number)
            raise TableDamaged(
                f"the log {self._folder} lacks commit {self.state.number + 1} but has "
                f"{numbered(beyond)}.json; restore the missing file"
            )

    def unfinished(self, staging: Path) -> Commit | None:
        """Return the newest commit if some or all of its files are still in `staging`."""
        there = self.last is not None and (staging / self.last.staging_name).is_dir()
        return self.last if there else None

    def _numbers(self, suffix: str) -> list[int]:
        names = (path.name for path in self._folder.glob(f"*{suffix}"))
        stems = (name.removesuffix(suffix) for name in names)
        return [int(stem) for stem in stems if stem.isdigit()]

    def _read_commit(self, number: int) -> Commit:
        path = self._path(number)
        commit = _read(path, Commit)
        _check(path, commit.number == number, commit.format, FORMAT)
        return commit

    def _path(self, number: int) -> Path:
        return self._folder / f"{numbered(number)}.json"

    def append(self, commit: Commit) -> None:
        """Add `commit` to the log in one step; after this, the change is committed."""
        create_new(self._path(commit.number), commit.model_dump_json(indent=1).encode())
        self.state, self.last = self.state.after(commit), commit

    def fold(self) -> bool:
        """Fold the commits if there are at least `FOLD_COMMITS`; return whether it did.

        The last commit must be finished. If the process is killed after this, the log has the
        commits twice until `tidy` deletes them.
        """
        if len(self._numbers(".json")) < FOLD_COMMITS:
            return False
        path = self._folder / f"{numbered(self.state.number)}{_FOLDED}"
        if not path.exists():
            create_new(path, self.state.model_dump_json().encode())
        self.last = None
        return True

    def tidy(self) -> None:
        """Delete the commits and older folds that the newest fold includes."""
        folded = max(self._numbers(_FOLDED), default=-1)
        for suffix in (".json", _FOLDED):
            for number in self._numbers(suffix):
                if number < folded or (number == folded and suffix == ".json"):
                    (self._folder / f"{numbered(number)}{suffix}").unlink()


def read_log(folder: Path) -> CommitLog:
    """Return the log in `folder`, even while a stream writes. Raises `TableDamaged`."""
    for attempt in range(1, READ_TRIES + 1):
        log = CommitLog(folder)
        try:
            log.refresh()
        except (FileNotFoundError, TableDamaged):  # a commit was folded after it was listed
            if attempt == READ_TRIES:
                raise
        else:
            return log
    raise AssertionError


def read_state(folder: Path) -> TableState:
    """Return the table's state from the log in `folder`, as `read_log` does."""
    return read_log(folder).state


def _read(path: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise TableDamaged(
            f"{path} is unreadable: {error.errors()[0]['msg']}; restore it"
        ) from None


def _check(path: Path, right_number: bool, format_: int, newest: int) -> None:
    if not right_number:
        raise TableDamaged(f"{path} holds another number than its name says; restore it")
    if format_ > newest:
        raise TableDamaged(
            f"{path} has format {format_}, from a newer events-stream; this one reads formats up "
            f"to {newest}; upgrade events-stream"
        )
