"""Reads the raw table's commit log, which `events-stream` writes.

It has one JSON file for each commit, numbered without gaps. From time to time the writer folds the
commits: it writes one file with their sum and then deletes them, the oldest first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from events_schema.runtime.errors import TableDamaged

COMMIT_FORMAT = 5
"""The newest format of a commit. Format 1 is of events-stream 1.0, format 2 of later versions, 3 of
events-stream 3.0 and 3.1 for tables with own columns, and 4 of events-stream 4.0.
"""

FOLD_FORMAT = 4
"""The newest format of a fold. Formats 1 and 2 are of events-stream 1.1 to 3.1, format 3 of 4.0."""

_COMMIT, _FOLD = ".json", ".folded.json"


class Entry(BaseModel):
    """What commits and folds have in common."""

    model_config = ConfigDict(frozen=True)

    format: int = 1
    number: int
    """The number of the commit, or of the last one in the fold."""


Fold = TypeVar("Fold", bound=Entry)
Commit = TypeVar("Commit", bound=Entry)
AnyEntry = TypeVar("AnyEntry", bound=Entry)


def numbered(number: int) -> str:
    """Return a commit's number with 12 digits, as used in names."""
    return f"{number:012d}"


def commit_path(log: Path, number: int) -> Path:
    """Return the path of a commit."""
    return log / f"{numbered(number)}{_COMMIT}"


def fold_path(log: Path, number: int) -> Path:
    """Return the path of the fold that ends with this commit."""
    return log / f"{numbered(number)}{_FOLD}"


def commit_numbers(log: Path) -> list[int]:
    """Return the numbers of the commits that are not folded, or not yet deleted, in order."""
    return _numbers(log, _COMMIT)


def fold_numbers(log: Path) -> list[int]:
    """Return the numbers of the folds, in order."""
    return _numbers(log, _FOLD)


def _numbers(log: Path, suffix: str) -> list[int]:
    try:
        names = [path.name for path in log.iterdir()]  # `glob` hides that it may not look
    except FileNotFoundError:
        return []
    stems = (name.removesuffix(suffix) for name in names if name.endswith(suffix))
    return sorted(int(stem) for stem in stems if stem.isdigit())


def read_entries(
    log: Path, after: int, fold: type[Fold], commit: type[Commit]
) -> tuple[Fold | None, list[Commit]]:
    """Return what the log has after commit number `after`: the newest fold, and then the commits.

    The fold is None if it ends with `after` or before. Another process may write and fold
    meanwhile; everything that was committed before the call is returned. Raises `TableDamaged`.
    """
    while True:
        newest = max(fold_numbers(log), default=-1)
        try:
            folded = _read_fold(log, newest, fold) if newest > after else None
            commits = _read_commits(log, max(newest, after), commit)
        except (FileNotFoundError, TableDamaged):
            if newest == max(fold_numbers(log), default=-1):
                raise
        else:
            if newest == max(fold_numbers(log), default=-1):
                return folded, commits


def _read_fold(log: Path, number: int, fold: type[Fold]) -> Fold:
    return _read(fold_path(log, number), fold, number, FOLD_FORMAT)


def _read_commits(log: Path, after: int, commit: type[Commit]) -> list[Commit]:
    commits: list[Commit] = []
    while True:
        number = after + 1 + len(commits)
        path = commit_path(log, number)
        try:
            commits.append(_read(path, commit, number, COMMIT_FORMAT))
        except FileNotFoundError:
            beyond = [each for each in commit_numbers(log) if each > number]
            if not beyond:
                return commits
            if not path.exists():  # it was not just written
                raise TableDamaged(
                    f"the log {log} lacks commit {number} but has "
                    f"{commit_path(log, beyond[0]).name}; restore the missing file"
                ) from None


def _read(path: Path, model: type[AnyEntry], number: int, newest: int) -> AnyEntry:
    content = path.read_bytes()
    try:
        known = Entry.model_validate_json(content)
        if known.format > newest:
            raise TableDamaged(
                f"{path} has format {known.format}, from a newer events-stream; this one reads "
                f"formats up to {newest}; upgrade it"
            )
        if known.number != number:
            raise TableDamaged(f"{path} holds another number than its name says; restore it")
        return model.model_validate_json(content)
    except ValidationError as error:
        raise TableDamaged(
            f"{path} is unreadable: {error.errors()[0]['msg']}; restore it"
        ) from None
