"""Finds the raw files whose rows a version was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from events_analytics.errors import SourceChanged, SourceRewritten
from events_analytics.raw.files import RawFile, RawFiles, read_raw_files
from events_analytics.versions.manifest import Manifest
from events_schema import Contract
from events_schema.tables.listing import list_table
from events_schema.tables.locations import find_folder
from events_schema.tables.snapshot import Snapshot

AGAIN = "publish again with events-analytics run"
"""What to do if a version cannot be verified."""

_MOST_DAYS = 3
"""The most days that an error names."""


def find_raw(source: str | None, manifest: Manifest, contract: Contract[Any]) -> RawFiles:
    """Return the raw files whose rows the version was made from.

    They are the files that its manifest names. If the raw table has a log, they are those with
    rows of commits up to the version's: others than the manifest names, if days were compacted.

    Raises `SourceMissing`, `SourceChanged`, `SourceRewritten` if no files have exactly these rows,
    and errors as `list_table` and `read_raw_files`.
    """
    folder = find_folder("source", source or manifest.source)
    snapshot = list_table(folder).snapshot
    if snapshot is None:
        names = [file.name for file in manifest.raw_files]
        _check_there(folder, names)
    else:
        names = _listed(folder, snapshot, manifest)
    files = read_raw_files(folder, snapshot, [folder / name for name in names], contract)
    if snapshot is None:
        _check_rows(folder, files, manifest)
    return RawFiles(folder, files)


def _check_there(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if not (folder / name).exists():
            raise SourceChanged(
                f"raw file {folder / name}, from which the target was made, does not exist; "
                f"{AGAIN}, or give the folder that contains it as --source"
            )


def _check_rows(folder: Path, files: Iterable[RawFile], manifest: Manifest) -> None:
    for found, expected in zip(files, manifest.raw_files, strict=True):
        if found.rows != expected.rows:
            raise SourceChanged(
                f"raw file {folder / found.name} has {found.rows} rows; it had {expected.rows} "
                f"when the target was made; {AGAIN}"
            )


def _listed(folder: Path, snapshot: Snapshot, manifest: Manifest) -> list[str]:
    """Return the names of the snapshot's files that have the version's rows, and no others."""
    _check_not_older(folder, snapshot, manifest)
    files = {
        file.final.removeprefix(f"{folder.name}/"): file for file in snapshot.table_files.values()
    }
    if manifest.raw_commit is None:  # of a release that did not name it
        names = [file.name for file in manifest.raw_files if file.name in files]
    else:
        names = [name for name in files if files[name].newest_commit <= manifest.raw_commit]
    _check_same_rows(folder, [RawFile(name, files[name].rows) for name in names], manifest)
    return names


def _check_not_older(folder: Path, snapshot: Snapshot, manifest: Manifest) -> None:
    if manifest.raw_commit is not None and snapshot.number < manifest.raw_commit:
        raise SourceChanged(
            f"source {folder} ends with commit {snapshot.number}, but the target was made from "
            f"commit {manifest.raw_commit}, so it is an older copy; {AGAIN}, or give the newer "
            f"table as --source"
        )


def _check_same_rows(folder: Path, files: Iterable[RawFile], manifest: Manifest) -> None:
    found = _rows_by_day(files)
    expected = _rows_by_day(RawFile(file.name, file.rows) for file in manifest.raw_files)
    days = sorted(day for day in {*found, *expected} if found[day] != expected[day])
    if days:
        more = f" and {len(days) - _MOST_DAYS} more" if len(days) > _MOST_DAYS else ""
        named = ", ".join(days[:_MOST_DAYS]) + more
        raise SourceRewritten(
            f"source {folder} no longer has exactly the rows that version {manifest.version} was "
            f"made from: those of {named} were expired or erased, or compacted together with later "
            f"ones; {AGAIN}"
        )


def _rows_by_day(files: Iterable[RawFile]) -> Counter[str]:
    rows: Counter[str] = Counter()
    for file in files:
        rows[file.day or file.name] += file.rows
    return rows
