"""Reads and writes the released schemas: files beside the contract's module that never change.

`released/VERSION.avsc` is a schema. `released/SHA256SUMS` lists every file with its checksum, so
edited and deleted files are noticed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from events_schema.avro import Schema, fingerprint
from events_schema.errors import ReleaseError

SUMS = "SHA256SUMS"
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){2}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)")
_SUFFIX = ".avsc"


@dataclass(frozen=True)
class Release:
    """A released writer schema: version `version` of the class `owner`."""

    owner: str
    version: str
    schema: Schema
    file: Path

    def __str__(self) -> str:
        return f"{self.owner} {self.version}"

    @property
    def fingerprint(self) -> bytes:
        """The 8 bytes that follow the marker in records written with this schema."""
        return fingerprint(self.schema)


def releases_folder(event: type) -> Path | None:
    """Return the folder of the releases of the class `event`; None for a class without a file."""
    file = getattr(sys.modules.get(event.__module__), "__file__", None)
    return None if file is None else Path(file).parent / "released"


def read_releases(folders: Mapping[Path, str]) -> tuple[Release, ...]:
    """Return the releases in `folders`, a mapping to class names, oldest first in each folder.

    Raises `ReleaseError` if a file was edited, deleted or not released, and if two schemas have
    the same fingerprint.
    """
    releases = tuple(
        release for folder, owner in folders.items() for release in _read_folder(folder, owner)
    )
    known: dict[bytes, Release] = {}
    for release in releases:
        other = known.setdefault(release.fingerprint, release)
        if other.schema != release.schema:
            raise ReleaseError(collision(release.file, other))
    return releases


def collision(what: object, other: Release) -> str:
    """Return the error text for two schemas that have the same fingerprint."""
    return (
        f"{what} has the same fingerprint as {other.file}, but is a different schema: readers "
        f"cannot tell their records apart; change a field's name or type"
    )


def _read_folder(folder: Path, owner: str) -> list[Release]:
    try:
        there = {path.name for path in folder.iterdir() if path.suffix == _SUFFIX}
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ReleaseError(f"cannot read {folder}: {error.strerror}; make it readable") from None
    sums = _read_sums(folder)
    if there and not sums:
        raise ReleaseError(f"{folder / SUMS}, the list of releases, is missing; restore it")
    for name in sorted(there - sums.keys()):
        raise ReleaseError(
            f"{folder / name} is not listed in {SUMS}; restore its line there, or, if "
            f"`events-schema release` was interrupted, delete the file and release again"
        )
    names = sorted(sums, key=lambda name: version_key(name.removesuffix(_SUFFIX)))
    return [_read(folder / name, owner, sums[name]) for name in names]


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError) as error:
        raise ReleaseError(f"cannot read {path} ({error}); restore it") from None
    sums: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = _SUM.fullmatch(line)
        name = match[2] if match else ""
        if match is None or not is_version(name.removesuffix(_SUFFIX)) or name in sums:
            raise ReleaseError(
                f"line {number} of {path} is invalid or a duplicate; expected a checksum and "
                f"VERSION.avsc; restore the file"
            )
        sums[name] = match[1]
    return sums


def _read(path: Path, owner: str, expected: str) -> Release:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ReleaseError(
            f"{path} was released and is missing; restore it, since records were written with it"
        ) from None
    except OSError as error:
        raise ReleaseError(f"cannot read {path}: {error.strerror}; make it readable") from None
    if hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest() != expected:  # git may add \r
        raise ReleaseError(
            f"{path} was edited after its release; restore it and release a new version instead"
        )
    schema = parse_schema(path, content)
    owner = schema.pop("doc", owner)  # the class that released it, not part of the writer schema
    return Release(str(owner), path.name.removesuffix(_SUFFIX), schema, path)


def parse_schema(path: Path, content: bytes) -> Schema:
    """Return the record schema that is the `content` of `path`. Raises `ReleaseError`."""
    try:
        schema = json.loads(content)
        names = [field["name"] for field in schema["fields"]]
        texts = [schema["name"], schema.get("namespace", ""), *names]
        if schema["type"] != "record" or not all(map(_is_name, texts)):
            raise ValueError("it is not a record of named fields")
        if len(set(names)) != len(names) or any("type" not in field for field in schema["fields"]):
            raise ValueError("a field is duplicated or has no type")
        fingerprint(schema)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        cause = f"{type(error).__name__}: {error}"[:200]
        raise ReleaseError(
            f"{path} is not the Avro schema of a record ({cause}); give a file written by "
            f"`events-schema release`"
        ) from None
    except Exception as error:  # noqa: BLE001  # fastavro's errors have no common root
        raise ReleaseError(f"{path} is not an Avro schema ({error!s:.200}); restore it") from None
    return cast(Schema, schema)


def _is_name(text: object) -> bool:
    return isinstance(text, str) and (not text or _NAME.fullmatch(text) is not None)


def is_version(text: str) -> bool:
    """Return whether `text` is a version of the form X.Y.Z."""
    return _VERSION.fullmatch(text) is not None


def version_key(version: str) -> tuple[int, ...]:
    """Return the key by which versions are sorted."""
    return tuple(map(int, version.split(".")))


@contextmanager
def one_release(folder: Path) -> Iterator[None]:
    """Hold the lock for releasing into `folder`, which is created if missing.

    Raises `ReleaseError` if the folder cannot be created.
    """
    try:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ReleaseError(
            f"cannot write {folder}: {error.strerror}; release from a folder that you can write to"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_release(folder: Path, owner: str, version: str, schema: Schema) -> Path:
    """Write `schema` to `folder` as the release `version` of `owner`; return its file.

    If the process is killed before `SHA256SUMS` is replaced, the file is not a release, and the
    next read raises an error. Raises `ReleaseError` if the folder cannot be written.
    """
    path = folder / f"{version}{_SUFFIX}"
    content = (json.dumps({**schema, "doc": owner}, indent=2) + "\n").encode()
    try:
        sums = _read_sums(folder)
        with path.open("xb") as file:
            file.write(content)
            os.fsync(file.fileno())
        listed = {**sums, path.name: hashlib.sha256(content).hexdigest()}
        temporary = folder / f".{SUMS}.new"
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{digest}  {name}\n" for name, digest in listed.items())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / SUMS)
    except OSError as error:
        raise ReleaseError(
            f"cannot write {path}: {error.strerror}; release from a folder that you can write to"
        ) from None
    return path
