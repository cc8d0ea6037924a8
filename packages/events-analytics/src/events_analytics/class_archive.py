"""Java's classes as Spark loads them, archived once: class data sharing, as Java calls it.

Half of the time in which Spark starts goes into reading classes from jars and checking them. An
archive holds them as they lie in memory. Java itself refuses one of another Java or of other
jars, and starts without.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pyspark

from events_analytics.errors import ArchiveRefused
from events_schema.java import find_java

MAKING_SECONDS = 300
"""How long Java may take to write an archive when it ends; some 12 s were seen."""


@dataclass(frozen=True)
class ClassArchive:
    """The archive `file`; where there is none yet, this process is `making` it."""

    file: Path
    making: bool

    @property
    def _unfinished(self) -> Path:
        return self.file.with_suffix(f".{os.getpid()}.unfinished")

    def java_options(self) -> list[str]:
        """Return the options by which Java uses the archive, or makes it when it ends."""
        if self.making:
            return [f"-XX:ArchiveClassesAtExit={self._unfinished}", "-Xlog:disable"]
        return [f"-XX:SharedArchiveFile={self.file}", "-Xlog:disable"]

    def keep(self) -> None:
        """Keep what Java has made, if it has; it may take the place of another run's."""
        if self._unfinished.exists():
            self._unfinished.rename(self.file)

    def discard(self) -> None:
        """Remove what Java has not finished."""
        self._unfinished.unlink(missing_ok=True)


def open_archive(folder: Path) -> ClassArchive:
    """Return the archive in `folder`, made where it is missing, for this Java and this PySpark.

    Raises `ArchiveRefused` where others could put classes of theirs there.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise ArchiveRefused(
            f"cannot make class archive folder {folder}: {error.strerror}; give another"
        ) from None
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ArchiveRefused(
            f"class archive folder {folder} can be written by others, and Java would run what "
            f"they put there; give one that only this user can write"
        )
    if not str(folder).isprintable() or set(str(folder)) & set(" \t\"'\\"):
        raise ArchiveRefused(
            f"class archive folder {str(folder)!r} holds a blank, a quote or a backslash, which "
            f"Java's options cannot; give another"
        )
    java = find_java().resolve()
    versions = (str(java), java.stat().st_mtime_ns, pyspark.__file__, pyspark.__version__)
    name = hashlib.sha256(repr(versions).encode()).hexdigest()[:16]
    file = folder / f"{name}.jsa"
    return ClassArchive(file, making=not file.exists())
