"""Finds local folders and parquet files, and escapes their paths for Spark and DuckDB."""

from __future__ import annotations

from pathlib import Path

from events_schema.runtime.errors import SourceMissing

_SPARK_PATTERNS = frozenset("\\{}[]*?")
_DUCKDB_PATTERNS = frozenset("*?[")


def find_folder(name: str, path: str) -> Path:
    """Return the folder at the local `path`, links resolved.

    `name` is the flag or setting to name in an error. Raises `SourceMissing`.
    """
    if "://" in path:
        raise SourceMissing(f"{name} {path!r} is a remote address; give a local folder")
    folder = Path(path).resolve()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise SourceMissing(f"{name} {folder} {what}; give the table's folder")
    return folder


def plain_files(folder: Path) -> list[Path]:
    """Return the parquet files directly in `folder`, without those that Spark ignores."""
    return sorted(path for path in folder.glob("*.parquet") if path.name[0] not in "._")


def spark_path(path: Path) -> str:
    """Return `path` for Spark's reader, with the characters of its patterns escaped."""
    return "".join(f"\\{each}" if each in _SPARK_PATTERNS else each for each in str(path))


def duckdb_path(path: str | Path) -> str:
    """Return `path` for DuckDB's reader, with the characters of its patterns escaped."""
    return "".join(f"[{each}]" if each in _DUCKDB_PATTERNS else each for each in str(path))
