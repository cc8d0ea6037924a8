"""Whether the files on disk are those that the log lists: a restored copy of one is noticed."""

from __future__ import annotations

from pathlib import Path

from events_schema.tables.partitions import partition_files
from events_schema.tables.paths import TablePaths
from events_stream.errors import TableDamaged
from events_stream.table.folder.state import TableState


def missing_files(paths: TablePaths, state: TableState) -> list[str]:
    """Return the `final` of the files that the log lists and nobody can read."""
    there = _on_disk(paths)
    return [final for final in (*state.table_files, *state.failed_files) if final not in there]


def check_files(paths: TablePaths, state: TableState) -> None:
    """Refuse a table whose files are not those of its log. Raises `TableDamaged`."""
    listed = {*state.table_files, *state.failed_files}
    unlisted = sorted(_on_disk(paths) - listed)
    if unlisted:
        raise TableDamaged(
            f"{_names(paths, unlisted)} not in the log {paths.log}, which is from an older "
            f"copy, or another's; restore both from one copy, or move the files away"
        )
    missing = missing_files(paths, state)
    if missing:
        raise TableDamaged(
            f"{_names(paths, missing)} gone, though the log {paths.log} lists it; restore it, "
            f"or let the log forget it by `events-stream expire --missing --apply`"
        )


def _on_disk(paths: TablePaths) -> set[str]:
    found = (*partition_files(paths.target), *paths.failed.glob("*.parquet"))
    return {str(path.relative_to(paths.target.parent)) for path in found}


def _names(paths: TablePaths, finals: list[str]) -> str:
    first = Path(paths.target.parent, finals[0])
    more = len(finals) - 1
    return f"{first} is" if not more else f"{first} and {more} more files are"
