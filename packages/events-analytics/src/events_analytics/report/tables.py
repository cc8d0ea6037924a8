"""Lists and checks the files of the tables that a report reads."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from events_analytics.raw.files import read_raw_files
from events_analytics.raw.footer import check_columns, read_footer
from events_analytics.raw.steady import noticing_gone
from events_schema import Contract, UserMetrics
from events_schema.models.types import StoredText, Time
from events_schema.tables import listing
from events_schema.tables.listing import list_table
from events_schema.tables.locations import find_folder, plain_files
from events_schema.tables.partitions import partition_day
from events_schema.tables.paths import TablePaths


class FailedRow(BaseModel):
    """The columns of a failed event that a report needs."""

    reason: StoredText | None
    timestamp: Time | None


@dataclass(frozen=True)
class Tables:
    """The folders of the tables, None if missing. `given` is the raw folder as given."""

    given: str
    raw: Path
    enriched: Path | None
    failed: Path | None


def find_tables(raw: str, enriched: str, failed: str | None, required: AbstractSet[str]) -> Tables:
    """Find the folders of the tables. Besides `raw`, only the `required` ones must exist.

    If `failed` is None, the failed events are in the folder next to `raw` where the stream puts
    them. Raises `SourceMissing`.
    """
    folder = find_folder("--raw", raw)
    beside = str(TablePaths(folder).failed)
    return Tables(
        raw,
        folder,
        _find_maybe("enriched", enriched, required),
        _find_maybe("failed", failed or beside, required if failed else frozenset()),
    )


def _find_maybe(name: str, path: str, required: AbstractSet[str]) -> Path | None:
    return find_folder(f"--{name}", path) if name in required or Path(path).exists() else None


def raw_files(folder: Path, contract: Contract[Any], since: date | None) -> list[Path]:
    """List the files of the raw table, or of a plain folder, without the days before `since`.

    Raises errors as `read_raw_files`.
    """
    listing = list_table(folder)
    files = [path for path in listing.files if since is None or _may_hold(path, since)]
    read_raw_files(folder, listing.snapshot, files, contract)
    return files


def enriched_files(folder: Path) -> list[Path]:
    """List the files of the enriched table, in either layout.

    Raises `ColumnsMissing` or `UnreadableFile` with the file's name, and `FileNotFoundError`.
    """
    return _checked(plain_files(folder), UserMetrics)


def failed_files(folder: Path) -> list[Path]:
    """List the files of the failed events. Raises errors as `enriched_files`."""
    return _checked(listing.failed_files(folder), FailedRow)


def _may_hold(path: Path, since: date) -> bool:
    """Return whether a file may have events of `since` or later; one without a day may."""
    day = partition_day(path.parent.name)
    try:
        return day is None or date.fromisoformat(day) >= since
    except ValueError:  # the partition of the events without a time
        return False


def _checked(files: Sequence[Path], model: type[BaseModel]) -> list[Path]:
    with noticing_gone(files):
        for path in files:
            check_columns(path, read_footer(path), model)
    return list(files)
