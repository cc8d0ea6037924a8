"""The paths of a table: the folder that readers see, and the folders beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from events_schema.runtime.errors import PublishError

MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class TablePaths:
    """The paths of the table at `target`, a folder that contains only parquet files."""

    target: Path

    @property
    def control(self) -> Path:
        """The raw table's control folder: the commit log, the lock and the files being written."""
        return self._beside("control")

    @property
    def log(self) -> Path:
        """The raw table's commits, one JSON file each, in order."""
        return self.control / "log"

    @property
    def staging(self) -> Path:
        """The files of a batch that is not yet committed."""
        return self.control / "staging"

    @property
    def rewriting(self) -> Path:
        """The new files of a day that is compacted, or from which a person is erased."""
        return self.control / "rewriting"

    @property
    def failed(self) -> Path:
        """The failed events, as parquet."""
        return self._beside("failed")

    @property
    def versions(self) -> Path:
        """The manifests and old versions of an enriched table."""
        return self._beside("versions")

    def _beside(self, suffix: str) -> Path:
        return self.target.with_name(f"{self.target.name}.{suffix}")

    @classmethod
    def at(cls, target: str) -> TablePaths:
        """Return the paths of the table at the local path `target`, links resolved.

        Raises `PublishError` if `target` is a remote address, a mount point or a file. Publishing
        renames folders between `target` and its siblings, so all must be on one local file system.
        """
        if "://" in target:
            raise PublishError(
                f"target {target!r} is a remote address; give a local or mounted folder"
            )
        path = Path(target).resolve()
        if _is_mount_point(path):
            raise PublishError(
                f"target {path} is a mount point and cannot be published by renaming; "
                f"give a folder inside it, such as {path / 'events'}"
            )
        if path.exists() and not path.is_dir():
            raise PublishError(f"target {path} is a file; give a folder")
        return cls(path)


def _is_mount_point(path: Path) -> bool:
    """Return whether `path` is a mount point, including a bind mount of the same file system."""
    if path.is_mount():
        return True
    try:
        mounts = MOUNTS.read_bytes().splitlines()
    except OSError:
        return False
    # The kernel writes spaces and backslashes in a path as octal numbers.
    points = (mount.split(b" ")[4].decode("unicode_escape").encode("latin-1") for mount in mounts)
    return os.fsencode(path) in points
