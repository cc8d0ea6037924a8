"""Every writer schema that was ever released: a file beside the contract's module, never changed.

`released/VERSION.avsc` is the schema, and `released/SHA256SUMS` lists every file, so that one that
was edited or deleted is noticed.
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
    """A released writer schema: `owner` is the class of which it is the `version`."""

    owner: str
    version: str
    schema: Schema
    file: Path

    def __str__(self) -> str:
        return f"{self.owner} {self.version}"

    @property
    def fingerprint(self) -> bytes:
        """What records written with it begin with, after the marker."""
        return fingerprint(self.schema)


def releases_folder(event: type) -> Path | None:
    """Return where the releases of the class `event` lie; None for a class without a file."""
    file = getattr(sys.modules.get(event.__module__), "__file__", None)
    return None if file is None else Path(file).parent / "released"


def read_releases(folders: Mapping[Path, str]) -> tuple[Release, ...]:
    """Return the releases in `folders`, each of a class, the oldest of each first.

    Raises `ReleaseError` for a file that was edited, deleted or not released, and for two
    schemas of one fingerprint.
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
    """Say that `what` cannot be told from another release by the first bytes of a record."""
    return (
        f"{what} has the fingerprint of {other.file}, but is another schema: no reader can tell "
        f"their records apart; change a field's name or type"
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
        raise ReleaseError(f"{folder / SUMS} is gone, which lists what was released; restore it")
    for name in sorted(there - sums.keys()):
        raise ReleaseError(
            f"{folder / name} is not in {SUMS}: restore its line there, or, if events-schema "
            f"release was interrupted, delete the file and release again"
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
                f"line {number} of {path} is not a checksum and VERSION.avsc, once; restore it"
            )
        sums[name] = match[1]
    return sums


def _read(path: Path, owner: str, expected: str) -> Release:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ReleaseError(
            f"{path} was released and is gone; restore it, since records were written with it"
        ) from None
    except OSError as error:
        raise ReleaseError(f"cannot read {path}: {error.strerror}; make it readable") from None
    if hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest() != expected:  # git may add \r
        raise ReleaseError(
            f"{path} was edited after its release; restore it, and release a new version instead"
        )
    schema = parse_schema(path, content)
    owner = schema.pop("doc", owner)  # who released it; no part of what records are written with
    return Release(str(owner), path.name.removesuffix(_SUFFIX), schema, path)


def parse_schema(path: Path, content: bytes) -> Schema:
    """Return the record schema that is the `content` of `path`. Raises `ReleaseError`."""
    try:
        schema = json.loads(content)
        names = [field["name"] for field in schema["fields"]]
        texts = [schema["name"], schema.get("namespace", ""), *names]
        if schema["type"] != "record" or not all(map(_is_name, texts)):
            raise ValueError("it is not a record of fields with names")
        if len(set(names)) != len(names) or any("type" not in field for field in schema["fields"]):
            raise ValueError("a field stands twice, or has no type")
        fingerprint(schema)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        cause = f"{type(error).__name__}: {error}"[:200]
        raise ReleaseError(
            f"{path} is not the Avro schema of a record ({cause}); give a file such as "
            f"events-schema release writes"
        ) from None
    except Exception as error:  # noqa: BLE001  # fastavro's errors have no common root
        raise ReleaseError(f"{path} is not an Avro schema ({error!s:.200}); restore it") from None
    return cast(Schema, schema)


def _is_name(text: object) -> bool:
    return isinstance(text, str) and (not text or _NAME.fullmatch(text) is not None)


def is_version(text: str) -> bool:
    """Return whether `text` is a version, X.Y.Z."""
    return _VERSION.fullmatch(text) is not None


def version_key(version: str) -> tuple[int, ...]:
    """Return what sorts versions."""
    return tuple(map(int, version.split(".")))


@contextmanager
def one_release(folder: Path) -> Iterator[None]:
    """Be the only one that releases into `folder`, which is made where it is missing.

    Raises `ReleaseError` for a folder that cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ReleaseError(
            f"cannot write {folder}: {error.strerror}; release from a folder that you may write"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_release(folder: Path, owner: str, version: str, schema: Schema) -> Path:
    """Write `schema` to `folder` as the release `version` of `owner`; return its file.

    Killed before `SHA256SUMS` is replaced, the file is not a release, and the next reading says
    so. Raises `ReleaseError` for a folder that cannot be written.
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
            f"cannot write {path}: {error.strerror}; release from a folder that you may write"
        ) from None
    return path
