"""The manifest of a version: what it was made from."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from events_analytics.versions.layout import Layout
from events_schema.enrichment import WINDOW
from events_schema.tables.paths import TablePaths

SUFFIX = ".json"


class FileRows(BaseModel):
    """A file, relative to its table's folder, and how many rows it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rows: int


def manifest_path(paths: TablePaths, version: str) -> Path:
    """Return where the manifest of a version lies."""
    return paths.versions / f"{version}{SUFFIX}"


def read_manifest(path: Path) -> Manifest:
    """Return the manifest at `path`. Raises `OSError`, or `ValueError` for what is none."""
    return Manifest.model_validate_json(path.read_bytes())


class Manifest(BaseModel):
    """What a version holds and what it was made from, as in `<target>.versions/<version>.json`.

    `users` counts the different users of `raw_files`, which are those of `source`; `since` is
    the first day that its rows are of, where not all are there. What a manifest of 1.0 does not
    say is what 1.0 did.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    created_time: AwareDatetime
    processing_time: AwareDatetime
    rows: int
    users: int
    files: tuple[FileRows, ...]
    source: str
    raw_files: tuple[FileRows, ...]
    layout: Layout = Layout.EVENTS
    window: timedelta = WINDOW
    since: date | None = None

    def to_json(self) -> bytes:
        """Return the manifest as it is stored."""
        return self.model_dump_json(indent=1).encode() + b"\n"
