"""The manifest of a version, which says what it contains and what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from events_analytics.versions.layout import Layout
from events_schema.enrichment import WINDOW
from events_schema.tables.paths import TablePaths

SUFFIX = ".json"


class FileRows(BaseModel):
    """A file's path relative to its table's folder, and its number of rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rows: int


def manifest_path(paths: TablePaths, version: str) -> Path:
    """Return the path of a version's manifest."""
    return paths.versions / f"{version}{SUFFIX}"


def read_manifest(path: Path) -> Manifest:
    """Return the manifest at `path`. Raises `OSError`, or `ValueError` if it is invalid."""
    return Manifest.model_validate_json(path.read_bytes())


class Manifest(BaseModel):
    """The content of a version and its sources, as in `<target>.versions/<version>.json`.

    `raw_files` are files below `source`, and `users` counts the different users in them.
    `raw_commit` is the newest commit in the raw table's log when they were listed, or None for a
    table without a log. `since` is the first day of the rows, or None for all days. `own_types` has
    the types of a team's own columns by name, in order. The defaults apply to manifests of older
    releases, which lack these fields.
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
    raw_commit: int | None = None
    layout: Layout = Layout.EVENTS
    window: timedelta = WINDOW
    since: date | None = None
    own_types: dict[str, str] = {}

    @property
    def column_types(self) -> Mapping[str, str]:
        """The types of the files' columns by name, in order."""
        return self.layout.column_types(self.own_types)

    def to_json(self) -> bytes:
        """Return the manifest as the bytes of its file."""
        return self.model_dump_json(indent=1).encode() + b"\n"
