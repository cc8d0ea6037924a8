"""Publishing: a new version of a table takes the place of the old one in one step.

A version is staged in `<target>.versions/<version>.staging/`; its manifest is on disk; then
the staging folder and the target change places, and what was the target becomes
`<target>.versions/<old version>/`. A run that is killed leaves one of these, which the next
run, holding the lock, tells apart by the names of the files in the staging folder:

- anything but another version's files: not published. The staging folder goes, and its
  manifest, if there is one already.
- another version's files: published; the old version is given its name.
- no files, the target being this version: it replaced an empty folder, which goes.
- a version's folder without its manifest: was being removed, since manifests go first.
- a manifest without its version: the rest of one of the above.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from events_analytics.versions.manifest import SUFFIX, Manifest, manifest_path, read_manifest
from events_analytics.versions.names import is_version, new_version, version_of_file
from events_schema.runtime.errors import PublishError
from events_schema.runtime.files import (
    check_renames,
    create_new,
    exchange,
    make_folders,
    refusing_unwritable,
    rename_new,
    sync_file,
    sync_folder,
)
from events_schema.runtime.locks import exclusive_lock
from events_schema.tables.paths import TablePaths

_STAGING = ".staging"


class Versions:
    """The versions of the table at `paths`; for the holder of its lock."""

    def __init__(self, paths: TablePaths) -> None:
        self._paths = paths
        self._target = paths.target
        self._folder = paths.versions

    def current(self) -> str | None:
        """Return the version that readers see; None where there is no target, or an empty one.

        Raises `PublishError` where the target holds anything that is not ours.
        """
        if not self._target.exists():
            return None
        found: set[str] = set()
        for entry in self._target.iterdir():
            version = version_of_file(entry.name) if entry.is_file() else None
            if version is None:
                raise PublishError(
                    f"target {self._target} holds {entry.name!r}, which is not ours; "
                    f"give an empty folder, or one that events-analytics made"
                )
            found.add(version)
        unknown = sorted(version for version in found if not self._manifest(version).is_file())
        if unknown or len(found) > 1:
            raise PublishError(
                f"target {self._target} holds {', '.join(unknown or sorted(found))}, which "
                f"{self._folder} does not know as one version; give an empty folder"
            )
        return found.pop() if found else None

    def manifest(self) -> Manifest | None:
        """Return the manifest of the version that readers see; None where there is none.

        Raises `PublishError` as `current` does, and `OSError` or `ValueError` where the manifest
        cannot be read.
        """
        version = self.current()
        if version is None:
            return None
        return read_manifest(self._manifest(version))

    def new(self, now: datetime) -> str:
        """Return the name of the next version."""
        current = self.current()
        return new_version(now, [*self.old(), *([current] if current else [])])

    def old(self) -> list[str]:
        """Return the old versions that are kept, the oldest first."""
        return sorted(entry.name for entry in self._entries("") if entry.is_dir())

    def staging(self, version: str) -> Path:
        """Return the folder to write the version's files to; it is not there yet."""
        return self._folder / f"{version}{_STAGING}"

    def publish(self, manifest: Manifest, keep: int) -> None:
        """Put the staged version in place and keep the newest `keep` old ones.

        Raises `PublishError`; the target then holds the old version or the new one, whole.
        """
        staging = self.staging(manifest.version)
        with refusing_unwritable(self._folder):
            for file in staging.iterdir():
                sync_file(file)
            sync_folder(staging)
            sync_folder(self._folder)
            create_new(self._manifest(manifest.version), manifest.to_json())
            self._put_in_place(staging)
            self.recover()
            for version in self.old()[: -keep or None]:
                self._remove(version)

    def _put_in_place(self, staging: Path) -> None:
        self.current()  # refuses what somebody else put into the target since the start
        if self._target.exists():
            exchange(staging, self._target)
        else:
            rename_new(staging, self._target)
        sync_folder(self._target.parent)
        sync_folder(self._folder)

    def recover(self) -> None:
        """Finish or remove whatever a run that was killed has left. Raises `OSError`."""
        for staging in self._entries(_STAGING):
            self._settle(staging)
        for unfinished in self._entries(f"{SUFFIX}.new"):
            unfinished.unlink()
        for version in self.old():
            if not self._manifest(version).is_file():
                shutil.rmtree(self._folder / version)
        living = {*self.old(), self.current()}
        for manifest in self._entries(SUFFIX):
            if manifest.name.removesuffix(SUFFIX) not in living:
                manifest.unlink()

    def _settle(self, staging: Path) -> None:
        """Keep the old version that a staging folder may hold by now, and nothing else of it."""
        versions = {version_of_file(entry.name) for entry in staging.iterdir()}
        replaced = versions - {None, staging.name.removesuffix(_STAGING)}
        if replaced:
            rename_new(staging, self._folder / str(replaced.pop()))
            sync_folder(self._folder)
        else:
            # The Java process of a run that was killed may write for another moment; what
            # that leaves goes the next time.
            shutil.rmtree(staging, ignore_errors=True)

    def _remove(self, version: str) -> None:
        self._manifest(version).unlink()
        sync_folder(self._folder)
        shutil.rmtree(self._folder / version)

    def _manifest(self, version: str) -> Path:
        return manifest_path(self._paths, version)

    def _entries(self, suffix: str) -> list[Path]:
        """Return what is named a version and `suffix`; other names are not ours to touch."""
        return sorted(
            entry
            for entry in self._folder.iterdir()
            if entry.name.endswith(suffix) and is_version(entry.name.removesuffix(suffix))
        )


@contextmanager
def open_versions(paths: TablePaths) -> Iterator[Versions]:
    """Hold the table alone, in order; on the way out, remove what was staged, not published.

    Raises `AlreadyLocked`, and `PublishError` where the target cannot be published to.
    """
    with contextlib.ExitStack() as held:
        versions = Versions(paths)
        with refusing_unwritable(paths.versions):
            if not paths.versions.exists():
                versions.current()  # a refusal leaves no folder behind
            make_folders(paths.versions)
            held.enter_context(exclusive_lock(paths.versions / "lock", "events-analytics run"))
            _check_file_system(paths)
            versions.current()
            versions.recover()
        try:
            yield versions
        except BaseException:
            with contextlib.suppress(OSError, PublishError):
                versions.recover()
            raise


def _check_file_system(paths: TablePaths) -> None:
    """Refuse, before the work, what would fail at the exchange after it."""
    parent = paths.target.parent
    for folder in (parent, paths.target, paths.versions):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise PublishError(f"cannot write {folder}; expected a folder that this user can write")
    if paths.versions.stat().st_dev != parent.stat().st_dev:
        raise PublishError(
            f"{paths.versions} is on another file system than {parent}; both must be on one"
        )
    check_renames(paths.versions)
