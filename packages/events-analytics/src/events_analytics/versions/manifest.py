"""The manifest of a version: what it was made from."""

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
    the first day that its rows are of, where not all are there. `own_types` are the types of a
    team's own columns by name, in order. What a manifest of an older release does not say is what
    that release did.
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
    own_types: dict[str, str] = {}

    @property
    def column_types(self) -> Mapping[str, str]:
        """The types of the columns of the files, by name, in order."""
        return self.layout.column_types(self.own_types)

    def to_json(self) -> bytes:
        """Return the manifest as it is stored."""
        return self.model_dump_json(indent=1).encode() + b"\n"
