"""Publishes a new version of a table, which replaces the old one in one step.

A version is written to `<target>.versions/<version>.staging/`, and then its manifest. After that,
the staging folder and the target are exchanged, and the old target is renamed to
`<target>.versions/<old version>/`. If a run is killed, the next run cleans up while it holds the
lock. The names of the files show how far the killed run got:

- The staging folder contains files of another version: the new version was published. The folder
  is renamed to the old version.
- The staging folder contains other files, or none: the new version was not published, or it
  replaced an empty folder. The staging folder is deleted, and the manifest of an unpublished
  version as well.
- A version's folder has no manifest: it was being deleted, and a manifest is deleted first.
- A manifest has no version: it is left over from one of these cases.
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
    """The versions of the table at `paths`. Changes require the table's lock."""

    def __init__(self, paths: TablePaths) -> None:
        self._paths = paths
        self._target = paths.target
        self._folder = paths.versions

    def current(self) -> str | None:
        """Return the version that readers see, or None if the target is missing or empty.

        Raises `PublishError` if the target contains anything else.
        """
        if not self._target.exists():
            return None
        found: set[str] = set()
        for entry in self._target.iterdir():
            version = version_of_file(entry.name) if entry.is_file() else None
            if version is None:
                raise PublishError(
                    f"target {self._target} contains {entry.name!r}, which events-analytics did "
                    f"not write; give an empty folder, or a target of events-analytics"
                )
            found.add(version)
        unknown = sorted(version for version in found if not self._manifest(version).is_file())
        if unknown or len(found) > 1:
            raise PublishError(
                f"target {self._target} contains {', '.join(unknown or sorted(found))}, but "
                f"{self._folder} does not know it as one version; give an empty folder"
            )
        return found.pop() if found else None

    def manifest(self) -> Manifest | None:
        """Return the manifest of the version that readers see, or None without a version.

        Raises `PublishError` as `current` does, and `OSError` or `ValueError` if the manifest
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
        """Return the old versions that are kept, oldest first."""
        return sorted(entry.name for entry in self._entries("") if entry.is_dir())

    def staging(self, version: str) -> Path:
        """Return the folder for writing the version's files; it is not created here."""
        return self._folder / f"{version}{_STAGING}"

    def publish(self, manifest: Manifest, keep: int) -> None:
        """Publish the staged version, and keep the newest `keep` old ones.

        Raises `PublishError`; the target then has either the complete old version or the complete
        new one.
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
        self.current()  # refuses files that were added to the target during the run
        if self._target.exists():
            exchange(staging, self._target)
        else:
            rename_new(staging, self._target)
        sync_folder(self._target.parent)
        sync_folder(self._folder)

    def recover(self) -> None:
        """Finish or delete everything that a killed run has left. Raises `OSError`."""
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
        """Keep the old version if it is in the staging folder; otherwise delete the folder."""
        versions = {version_of_file(entry.name) for entry in staging.iterdir()}
        replaced = versions - {None, staging.name.removesuffix(_STAGING)}
        if replaced:
            rename_new(staging, self._folder / str(replaced.pop()))
            sync_folder(self._folder)
        else:
            # The Java process of a killed run may keep writing for a moment; the next run
            # deletes what this leaves.
            shutil.rmtree(staging, ignore_errors=True)

    def _remove(self, version: str) -> None:
        self._manifest(version).unlink()
        sync_folder(self._folder)
        shutil.rmtree(self._folder / version)

    def _manifest(self, version: str) -> Path:
        return manifest_path(self._paths, version)

    def _entries(self, suffix: str) -> list[Path]:
        """Return the entries named after a version and `suffix`; all others are left alone."""
        return sorted(
            entry
            for entry in self._folder.iterdir()
            if entry.name.endswith(suffix) and is_version(entry.name.removesuffix(suffix))
        )


@contextmanager
def open_versions(paths: TablePaths) -> Iterator[Versions]:
    """Lock the table and clean it up; after an error, delete files that were not published.

    Raises `AlreadyLocked`, and `PublishError` if nothing can be published to the target.
    """
    with contextlib.ExitStack() as held:
        versions = Versions(paths)
        with refusing_unwritable(paths.versions):
            if not paths.versions.exists():
                versions.current()  # before a folder is created
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
    """Check before the work that the folders can be exchanged after it."""
    parent = paths.target.parent
    for folder in (parent, paths.target, paths.versions):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise PublishError(f"cannot write {folder}; give a folder that this user may write to")
    if paths.versions.stat().st_dev != parent.stat().st_dev:
        raise PublishError(
            f"{paths.versions} and {parent} are on different file systems; put both on one"
        )
    check_renames(paths.versions)
