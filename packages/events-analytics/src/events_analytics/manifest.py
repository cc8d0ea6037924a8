"""The manifest of a version: what it was made from."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict


class FileRows(BaseModel):
    """A file, relative to its table's folder, and how many rows it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rows: int


class Manifest(BaseModel):
    """What a version holds and what it was made from, as in `<target>.versions/<version>.json`.

    `users` counts the different users of its rows; `raw_files` are those of `source`.
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

    def to_json(self) -> bytes:
        """Return the manifest as it is stored."""
        return self.model_dump_json(indent=1).encode() + b"\n"
