"""Checks that the files on disk are those in the log. They differ if only one was restored."""

from __future__ import annotations

from pathlib import Path

from events_schema.runtime.errors import TableDamaged
from events_schema.tables.partitions import partition_files
from events_schema.tables.paths import TablePaths
from events_stream.table.folder.state import TableState


def missing_files(paths: TablePaths, state: TableState) -> list[str]:
    """Return the `final` of the files that the log lists and that do not exist."""
    there = _on_disk(paths)
    return [final for final in (*state.table_files, *state.failed_files) if final not in there]


def check_files(paths: TablePaths, state: TableState) -> None:
    """Check that the table's files are those that its log lists. Raises `TableDamaged`."""
    listed = {*state.table_files, *state.failed_files}
    unlisted = sorted(_on_disk(paths) - listed)
    if unlisted:
        raise TableDamaged(
            f"{_names(paths, unlisted)} not in the log {paths.log}, which is an older copy or "
            f"belongs to another table; restore both from one copy, or move the files away"
        )
    missing = missing_files(paths, state)
    if missing:
        raise TableDamaged(
            f"{_names(paths, missing)} missing, but listed in the log {paths.log}; restore "
            f"missing files, or remove them from the log with "
            f"`events-stream expire --missing --apply`"
        )


def _on_disk(paths: TablePaths) -> set[str]:
    found = (*partition_files(paths.target), *paths.failed.glob("*.parquet"))
    return {str(path.relative_to(paths.target.parent)) for path in found}


def _names(paths: TablePaths, finals: list[str]) -> str:
    first = Path(paths.target.parent, finals[0])
    more = len(finals) - 1
    return f"{first} is" if not more else f"{first} and {more} more files are"
