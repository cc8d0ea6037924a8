"""Java's classes as Spark loads them, archived once: class data sharing, as Java calls it.

Half of the time in which Spark starts goes into reading classes from jars and checking them. An
archive holds them as they lie in memory. Each Java and each PySpark has its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyspark
from platformdirs import user_cache_path

from events_analytics.errors import ArchiveRefused
from events_schema.runtime.files import sync_file
from events_schema.runtime.java.find import find_java

MAKING_SECONDS = 300
"""How long Java may take to write an archive when it ends; some 15 s were seen."""
ROOM_BYTES = 512 * 1024 * 1024
"""How much room there must be to make one; 170 MB were seen."""
_UNUSED_SECONDS = 30 * 24 * 3600
_UNFINISHED_SECONDS = 3600
_RETRY_SECONDS = 24 * 3600
_NAME = "[0-9a-f]" * 16


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

    def keep(self) -> bool:
        """Keep what Java has made; tell whether it has. It may take another run's place.

        Those that no run has used for a month go, such as those of an older PySpark.
        """
        if not self._unfinished.exists():
            return False
        sync_file(self._unfinished)
        self._unfinished.rename(self.file)
        _remove_old(self.file.parent, f"{_NAME}.jsa", _UNUSED_SECONDS)
        return True

    def discard(self) -> None:
        """Remove what Java has not finished."""
        self._unfinished.unlink(missing_ok=True)


def find_archive(choice: str, master: str) -> ClassArchive | None:
    """Return the archive that `choice` asks for, for a Java process that is Spark's `master`.

    `auto` is the user's cache folder, where the second run makes it, so that who runs once does
    not pay for it; none where it cannot be made. `off` is none, and all else a folder, for which
    this raises `ArchiveRefused`.
    """
    local = master.startswith("local") and "PYSPARK_GATEWAY_PORT" not in os.environ
    if choice == "off" or (choice == "auto" and not local):
        return None
    if choice != "auto":
        if not local:
            raise ArchiveRefused(
                f"--class-archive is for a Java process that this command starts; leave it out "
                f"with --master {master} and under spark-submit"
            )
        return open_archive(Path(choice))
    try:
        archive = open_archive(user_cache_path("events") / "classes")
    except ArchiveRefused:
        return None
    return archive if not archive.making or _is_wanted(archive) else None


def _is_wanted(archive: ClassArchive) -> bool:
    """Tell whether an earlier run has asked for the archive; ask for it, where none has.

    It is tried once a day, since there may be a reason for which Java makes none.
    """
    asked, tried = (archive.file.with_suffix(suffix) for suffix in (".asked", ".tried"))
    try:
        if tried.exists() and tried.stat().st_mtime > time.time() - _RETRY_SECONDS:
            return False
        if not asked.exists():
            asked.touch()
            return False
        tried.touch()
    except OSError:
        return False
    return True


def _remove_old(folder: Path, pattern: str, seconds: float) -> None:
    for path in folder.glob(pattern):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - seconds:
                path.unlink()


def open_archive(folder: Path) -> ClassArchive:
    """Return the archive in `folder`, made where it is missing, for this Java and this PySpark.

    Raises `ArchiveRefused` where others could put classes of theirs there, or there is no room.
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
    _remove_old(folder, f"{_NAME}.*.unfinished", _UNFINISHED_SECONDS)  # of runs that were killed
    file = folder / f"{_name()}.jsa"
    try:
        os.utime(file)  # which tells that it is in use
    except FileNotFoundError:
        _check_room(folder)
        return ClassArchive(file, making=True)
    except OSError:  # of another user, or on a disk that is read only
        pass
    return ClassArchive(file, making=False)


def _name() -> str:
    """Return a name that is another one for another Java, or for other jars than these."""
    java = find_java().resolve()
    jars = Path(pyspark.__file__).parent.glob("jars/*.jar")
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in (java, *jars)]
    return hashlib.sha256(repr(sorted(files)).encode()).hexdigest()[:16]


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < ROOM_BYTES:
        raise ArchiveRefused(
            f"class archive folder {folder} has room for {free >> 20} MiB, and an archive takes "
            f"170; make room for {ROOM_BYTES >> 20}, or leave --class-archive out"
        )
