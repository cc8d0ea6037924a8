"""The addresses under which an engine sees the folders of the two tables."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from events_analytics.settings import Engine
from events_analytics.versions.names import version_of_file
from events_schema.runtime.errors import UsageError

FILE = "file"

_HADOOP = frozenset({"s3", "s3a", "gs", "abfs", "abfss", "hdfs", FILE})

SCHEMES: Mapping[Engine, frozenset[str]] = {
    Engine.TRINO: _HADOOP | {"local"},
    Engine.PRESTO: _HADOOP,
    Engine.ATHENA: frozenset({"s3"}),
    Engine.DUCKDB: frozenset({"s3", "gs", "gcs", "r2", "az", "azure", "abfss", FILE}),
    Engine.SPARK: _HADOOP,
}
"""The URL schemes under which each engine can list a folder."""

_ADDRESS = re.compile(r"([a-z][a-z0-9]*)://([^/]*)(/.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"[A-Za-z0-9][\w.:-]*(@[A-Za-z0-9][\w.-]*)?", re.ASCII)
_WITHOUT_AUTHORITY = frozenset({FILE, "local"})
_PLAIN = re.compile(r"[\w./:=+@-]+", re.ASCII)
_MISREAD: Mapping[Engine, frozenset[str]] = {
    Engine.DUCKDB: frozenset("\\"),  # taken for a slash
    Engine.SPARK: frozenset("\\{}[]*?"),  # taken for patterns if a table is not partitioned
}
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, lone surrogates, line ends


@dataclass(frozen=True)
class Locations:
    """The addresses of the raw table's folder and of the result's, for an engine."""

    raw: str
    result: str


def locate(engine: Engine, source: str, target: str, location: str | None) -> Locations:
    """Return the addresses of the local folders `source` and `target` for `engine`.

    If `location` is given, it is the folder that contains both of them for the engine. Otherwise
    the local paths are used. Neither folder needs to exist. Raises `UsageError`.
    """
    raw, result = _local(source, "source"), _local(target, "target")
    if location is None:
        if engine is Engine.ATHENA:
            raise UsageError("Athena reads only S3; give --location s3://BUCKET/FOLDER")
        return Locations(*(_seen(engine, str(path)) for path in (raw, result)))
    if raw.name == result.name:
        raise UsageError(
            f"source {raw} and target {result} have the same name, so --location cannot contain "
            f"both; leave --location out, or rename one"
        )
    folder = check_location(location)
    return Locations(*(_seen(engine, f"{folder}/{path.name}") for path in (raw, result)))


def _local(path: str, what: str) -> Path:
    if "://" in path:
        raise UsageError(
            f"{what} {path!r} is a remote address; give the local folder, and the engine's address "
            f"of it as --location"
        )
    _check_printable(path, what)
    resolved = Path(path).resolve()
    if not resolved.name:
        raise UsageError(
            f"{what} {str(resolved)!r} cannot be a table's folder; give a folder in it"
        )
    return resolved


def check_location(location: str) -> str:
    """Return `location` in its normal form, for example without a slash at the end.

    It must be an absolute path, or an address such as `s3://bucket/events`. Raises `UsageError`.
    """
    _check_printable(location, "location")
    if location.startswith("/"):
        path = posixpath.normpath(f"/{location.lstrip('/')}")
        return "" if path == "/" else path
    match = _ADDRESS.fullmatch(location)
    if match is None:
        raise UsageError(
            f"location {location!r} is neither an absolute path nor an address; "
            f"give one, for example /mnt/events or s3://bucket/events"
        )
    scheme, authority, path = match[1], match[2], match[3] or ""
    bare = scheme in _WITHOUT_AUTHORITY
    if ("?" in path or "#" in path or ".." in path.split("/")) or (
        authority if bare else not _AUTHORITY.fullmatch(authority)
    ):
        expected = f"{scheme}:///FOLDER" if bare else f"{scheme}://BUCKET/FOLDER"
        raise UsageError(f"location {location!r} is not a valid address; give {expected}")
    return f"{scheme}://{authority}{path.rstrip('/')}"


def _check_printable(text: str, what: str) -> None:
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise UsageError(f"{what} {text!r} contains a character that SQL cannot show; rename it")


def _seen(engine: Engine, place: str) -> str:
    """Return the path or address `place` in the form for `engine`. Raises `UsageError`."""
    scheme, separator, path = place.partition("://")
    if separator and scheme not in SCHEMES[engine]:
        known = ", ".join(f"{each}://" for each in sorted(SCHEMES[engine]))
        raise UsageError(f"{engine} does not read {scheme}://; give an address with {known}")
    if engine is Engine.ATHENA and not (separator and _PLAIN.fullmatch(place)):
        raise UsageError(
            f"Athena cannot read {place!r}; give s3://BUCKET/FOLDER, with only ASCII letters, "
            f"digits and . / : = + @ _ - in the names"
        )
    if misread := sorted(set(place) & _MISREAD.get(engine, frozenset())):
        raise UsageError(
            f"{engine} cannot read {place!r}, because it contains {' '.join(misread)}; "
            f"rename the folder"
        )
    if engine is Engine.DUCKDB:
        return path if scheme == FILE and separator else place
    return place if separator else f"{FILE}://{place}"


def current_version(target: str) -> str | None:
    """Return the version in the local folder `target`, or None if there is none."""
    try:
        names = [entry.name for entry in Path(target).iterdir()]
    except OSError:
        return None
    return max(filter(None, map(version_of_file, names)), default=None)
