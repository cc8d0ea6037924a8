"""Checks a contract against its releases, and releases it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from events_schema.avro import Schema, fingerprint
from events_schema.contract import Contract
from events_schema.errors import ReleaseError
from events_schema.evolution.comparison import say_breaks
from events_schema.evolution.releases import (
    collision,
    is_version,
    one_release,
    parse_schema,
    releases_folder,
    version_key,
    write_release,
)


@dataclass(frozen=True)
class Verdict:
    """Whether a contract fits its releases, and the lines to print."""

    fits: bool
    lines: Sequence[str]


def check_contract(contract: Contract[Any], *, allow_unreleased: bool) -> Verdict:
    """Compare the model with every release of the contract.

    Raises `ReleaseError` if a released file was changed or deleted.
    """
    broken = contract.broken_releases()
    if broken:
        folders = dict.fromkeys(str(release.file.parent) for release in contract.releases)
        where = f"The releases are in {', '.join(folders)}. Keep one contract per folder."
        return Verdict(fits=False, lines=[*(f"breaks: {each}" for each in broken), where])
    releases = ", ".join(map(str, contract.releases))
    fits = f"{contract.name} fits {releases}."
    lines = [f"{fits} Nothing breaks for producers, the stream or readers of Parquet."]
    if _is_newest(contract):
        return Verdict(fits=True, lines=lines)
    lines.append(
        f"Not released yet{_added(contract)}. Run: events-schema release "
        f"{_next_version(contract)} --contract {contract.name}"
    )
    return Verdict(fits=allow_unreleased, lines=lines)


def check_against(contract: Contract[Any], path: Path) -> Verdict:
    """Compare the model with the Avro schema in the file `path`. Raises `ReleaseError`."""
    try:
        schema = parse_schema(path, path.read_bytes())
    except OSError as error:
        raise ReleaseError(
            f"--against: cannot read {path}: {error.strerror}; give an Avro schema file"
        ) from None
    broken = [f"breaks: {each}" for each in say_breaks([(str(path), schema)], contract.avro_schema)]
    return Verdict(not broken, broken or [f"{contract.name} fits {path}."])


def release_contract(contract: Contract[Any], version: str) -> Path:
    """Release the model as `version`, a file next to the contract's module; return the file.

    Raises `ReleaseError` if the version is not above all others, if the model is already released
    or breaks a release, if the folder has releases of another class, or if it cannot be written.
    """
    folder = releases_folder(contract.event)
    if folder is None:
        raise ReleaseError(
            f"contract {contract.name} is not defined in a file; put its class into a module"
        )
    if not is_version(version):
        raise ReleaseError(f"{version!a:.80} is not a version; give X.Y.Z, such as 1.2.0")
    check_release(contract, folder, version)  # before the folder is created
    with one_release(folder):
        fresh = Contract(contract.event)  # another process may have released meanwhile
        check_release(fresh, folder, version)
        return write_release(folder, contract.event.__name__, version, contract.avro_schema)


def check_release(contract: Contract[Any], folder: Path, version: str) -> None:
    """Check that `version` can be the next release of this contract. Raises `ReleaseError`."""
    own = [release for release in contract.releases if release.file.parent == folder]
    if own and own[-1].owner != contract.event.__name__:
        raise ReleaseError(
            f"{folder} has releases of {own[-1].owner}; keep one contract per folder, and do not "
            f"rename its class"
        )
    if own and version_key(version) <= version_key(own[-1].version):
        raise ReleaseError(
            f"version {version} is not above the newest release, {own[-1].version}; give "
            f"{_next_version(contract)}"
        )
    if _is_newest(contract):
        newest = contract.releases[-1]
        why = f"see {newest.file}" if own else "it adds no fields"
        raise ReleaseError(
            f"contract {contract.name} is already released as {newest}: {why}; there is nothing "
            f"to do"
        )
    for broken in contract.broken_releases():
        raise ReleaseError(f"{broken} (events-schema check lists everything that breaks)")
    for release in contract.releases:
        if release.fingerprint == fingerprint(contract.avro_schema):
            raise ReleaseError(collision(f"contract {contract.name}", release))


def _is_newest(contract: Contract[Any]) -> bool:
    return bool(contract.releases) and contract.releases[-1].schema == contract.avro_schema


def _added(contract: Contract[Any]) -> str:
    known = _names(contract.releases[-1].schema) if contract.releases else []
    added = [name for name in _names(contract.avro_schema) if name not in known]
    return f": new {', '.join(added)}" if added else ""


def _names(schema: Schema) -> list[str]:
    return [field["name"] for field in schema["fields"]]


def _next_version(contract: Contract[Any]) -> str:
    folder = releases_folder(contract.event)
    own = [release for release in contract.releases if release.file.parent == folder]
    if not own:
        return "1.0.0"
    major, minor, _ = version_key(own[-1].version)
    return f"{major}.{minor + 1}.0"
