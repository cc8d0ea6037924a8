"""Lists and checks the files of the tables that a report reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from events_analytics.raw.footer import Footer, check_columns, check_evolution, read_footer
from events_schema import Contract, UserMetrics
from events_schema.models.types import StoredText, Time
from events_schema.tables import listing
from events_schema.tables.listing import table_files
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

    Raises `ColumnsMissing` or `UnreadableFile` with the file's name, and `NotAnEvolution` if a
    table of the stream has own fields that `contract` lacks.
    """
    files = [path for path in table_files(folder) if since is None or _may_hold(path, since)]

    def check(footer: Footer) -> None:
        check_evolution(folder, footer, contract)

    return _checked(files, contract.stored, check)


def enriched_files(folder: Path) -> list[Path]:
    """List the files of the enriched table, in either layout. Raises errors as `raw_files`."""
    return _checked(plain_files(folder), UserMetrics)


def failed_files(folder: Path) -> list[Path]:
    """List the files of the failed events. Raises errors as `raw_files`."""
    return _checked(listing.failed_files(folder), FailedRow)


def _may_hold(path: Path, since: date) -> bool:
    """Return whether a file may have events of `since` or later; one without a day may."""
    day = partition_day(path.parent.name)
    try:
        return day is None or date.fromisoformat(day) >= since
    except ValueError:  # the partition of the events without a time
        return False


def _checked(
    files: Iterable[Path], model: type[BaseModel], check: Callable[[Footer], None] | None = None
) -> list[Path]:
    checked = list(files)
    for path in checked:
        path.stat()  # a missing file raises FileNotFoundError, and the table is listed again
        footer = read_footer(path)
        if check is not None:
            check(footer)
        check_columns(path, footer, model)
    return checked
