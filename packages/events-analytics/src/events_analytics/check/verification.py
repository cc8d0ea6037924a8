"""Verifies a published table against its manifest and the raw files it was made from.

Nothing is locked or changed, so a run may publish meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from events_analytics.check.raw_files import AGAIN, find_raw
from events_analytics.check.recomputation import (
    CountedTimes,
    check_each_user_once,
    check_userless,
    choose_users,
    compare_metrics,
    compare_rows,
    recompute,
    tally_users,
)
from events_analytics.errors import (
    ColumnsMissing,
    ManifestMissing,
    NoData,
    NotVerified,
    UnreadableFile,
)
from events_analytics.raw.files import RawFile, RawFiles
from events_analytics.raw.footer import Footer, check_exact_columns, read_footer
from events_analytics.raw.steady import noticing_gone, steadily
from events_analytics.settings import SAMPLE
from events_analytics.versions.layout import Layout
from events_analytics.versions.manifest import Manifest, manifest_path, read_manifest
from events_analytics.versions.names import version_of_file
from events_schema import Contract, UserMetrics
from events_schema.runtime.database import Database, open_database, query_errors
from events_schema.runtime.errors import SourceMissing
from events_schema.tables.paths import TablePaths
from events_schema.tables.views import view_files


@dataclass(frozen=True)
class Verified:
    """A verified version: its manifest, its files, and the raw files and users compared with it."""

    manifest: Manifest
    files: tuple[Path, ...]
    raw_files: int
    users: int

    def __str__(self) -> str:
        since = f" since {self.manifest.since}" if self.manifest.since else ""
        return (
            f"verified: {sum(file.rows for file in self.manifest.files)} rows of "
            f"{self.raw_files} raw files{since}, {len(self.manifest.column_types)} "
            f"columns, metrics of {self.users} users recomputed"
        )


def verify(
    target: str, contract: Contract[Any], source: str | None = None, sample: int = SAMPLE
) -> Verified:
    """Verify the version of `target` that readers see, and describe it.

    The raw files are read from `source`, or from the folder in the manifest. The metrics of at
    most `sample` users are recomputed. If a new version is published meanwhile, that one is
    verified. The table may lack own columns that `contract` got later.

    Raises `NotVerified` if the table is wrong, and `NotAnEvolution` if it has own fields that
    `contract` lacks. Raises `SourceMissing`, `NoData`, `ManifestMissing`, `SourceChanged`,
    `SourceRewritten`, `TableDamaged`, `TableReplaced`, `ColumnsMissing`, `UnreadableFile` or
    `DatabaseFailed` if it cannot be verified.
    """
    folder = _find_target(target)

    def verify_current() -> Verified:
        names = _list(folder)
        with noticing_gone([folder / name for name in names]):
            return _verify(folder, names, contract, source, sample)

    return steadily(verify_current)


def _find_target(target: str) -> Path:
    if "://" in target:
        raise SourceMissing(f"target {target!r} is a remote address; give a local folder")
    return Path(target).resolve()


def _list(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise SourceMissing(f"target {folder} is not a folder; publish with events-analytics run")
    names = sorted(path.name for path in folder.iterdir())
    if not names:
        raise NoData(f"target {folder} has no parquet files; publish with events-analytics run")
    return names


def _verify(
    folder: Path, names: Sequence[str], contract: Contract[Any], source: str | None, sample: int
) -> Verified:
    manifest = _read_manifest(folder, _the_version(folder, names))
    contract.check_evolves(manifest.own_types, f"target {folder}")
    footers = _read_footers(folder, names, manifest)
    for name, footer in footers.items():
        _check_columns(folder / name, footer, manifest)
    raw = find_raw(source, manifest, contract)
    shown = _shown(raw, manifest)
    found = sum(footer.rows for footer in footers.values())
    if manifest.layout is Layout.EVENTS and found != shown.rows:
        raise NotVerified(
            f"target {folder} has {found} rows; its raw files have {shown.rows}; {AGAIN}"
        )
    files = tuple(folder / name for name in names)
    try:
        with noticing_gone(raw.paths), query_errors(), open_database() as database:
            users = _verify_rows(database, files, raw, manifest, sample)
    except NotVerified as error:
        raise NotVerified(f"target {folder}: {error}; {AGAIN}") from None
    return Verified(manifest, files, len(shown.files), users)


def _the_version(folder: Path, names: Sequence[str]) -> str:
    """Return the version of the files, which must all have the same one."""
    versions: dict[str, None] = {}
    for name in names:
        version = version_of_file(name)
        if version is None:
            raise NotVerified(
                f"target {folder} contains {name!r}, which events-analytics did not write; "
                f"remove it"
            )
        versions[version] = None
    first, *others = versions
    if others:
        raise NotVerified(
            f"target {folder} contains files of the versions {first} and {others[0]}; expected "
            f"one version: remove the files that were added by hand"
        )
    return first


def _read_manifest(folder: Path, version: str) -> Manifest:
    path = manifest_path(TablePaths(folder), version)
    try:
        return read_manifest(path)
    except FileNotFoundError:
        raise ManifestMissing(
            f"the manifest {path} of target {folder} does not exist; {AGAIN}"
        ) from None
    except (OSError, ValueError) as error:
        cause = " ".join(str(error).split())
        raise ManifestMissing(f"cannot read the manifest {path} ({cause}); {AGAIN}") from None


def _read_footers(folder: Path, names: Sequence[str], manifest: Manifest) -> Mapping[str, Footer]:
    """Return the footers of the files, after comparing the files with the manifest."""
    expected = {file.name: file.rows for file in manifest.files}
    for name in sorted({*names, *expected}):
        if name not in expected:
            raise NotVerified(
                f"target {folder} contains {name}, which is not in its manifest; remove it"
            )
        if name not in names:
            raise NotVerified(f"target {folder} lacks {name}, which is in its manifest; {AGAIN}")
    footers = {name: _read_footer(folder / name) for name in names}
    for name, footer in footers.items():
        if footer.rows != expected[name]:
            raise NotVerified(
                f"{folder / name} has {footer.rows} rows; its manifest says {expected[name]}; "
                f"{AGAIN}"
            )
    return footers


def _read_footer(path: Path) -> Footer:
    try:
        return read_footer(path)
    except UnreadableFile as error:
        raise NotVerified(f"{str(error).partition('; ')[0]}; {AGAIN}") from None


def _check_columns(path: Path, footer: Footer, manifest: Manifest) -> None:
    try:
        check_exact_columns(path, footer, manifest.column_types)
    except ColumnsMissing as error:
        raise NotVerified(f"{error}; {AGAIN}") from None


def _shown(raw: RawFiles, manifest: Manifest) -> RawFiles:
    """Return the raw files whose rows are in the target, without those before its first day."""
    return raw.since(manifest.since) if manifest.since else raw


def _verify_rows(
    database: Database, files: Sequence[Path], raw: RawFiles, manifest: Manifest, sample: int
) -> int:
    """Verify the content of the rows; return how many users' metrics were recomputed."""
    window = CountedTimes(manifest.processing_time - manifest.window, manifest.processing_time)
    shown = _shown(raw, manifest)
    earlier = sorted(set(raw.files) - set(shown.files), key=lambda file: file.name)
    tally_users(database, _paths(raw, earlier), _paths(raw, shown.files), window)
    view_files(database, "target", files, UserMetrics)
    if manifest.layout is Layout.USERS:
        check_each_user_once(database)
    users = choose_users(database, manifest.version, sample)
    recompute(database, users)
    compare_metrics(database)
    if manifest.layout is Layout.EVENTS:
        compare_rows(database)
    check_userless(database, manifest.layout)
    return len(users)


def _paths(raw: RawFiles, files: Sequence[RawFile]) -> list[Path]:
    return [raw.folder / file.name for file in files]
