"""Atomic and durable file operations for publishing, on Linux with POSIX file systems."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from events_schema.runtime.errors import PublishError

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2

WAYS_OUT = {
    errno.ENOSPC: "free some space and start again",
    errno.EDQUOT: "free some space and start again",
    errno.EROFS: "mount it writable and start again",
}
"""What to do if a disk cannot be written, by error number."""

REMOVE_TRIES = 5
"""How many times to try to delete a folder in which another process creates files."""


def rename_new(source: Path, destination: Path) -> None:
    """Rename `source` to `destination` in one step that never replaces anything.

    Raises `FileExistsError` if `destination` exists, and other `OSError`s.
    """
    _renameat2(source, destination, _RENAME_NOREPLACE)


def exchange(one: Path, other: Path) -> None:
    """Swap two existing paths in one step. Raises `OSError`."""
    _renameat2(one, other, _RENAME_EXCHANGE)


def _renameat2(source: Path, destination: Path, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, bytes(source), _AT_FDCWD, bytes(destination), flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(source), None, str(destination))


def create_new(path: Path, content: bytes) -> None:
    """Create `path` with `content`, completely and on disk or not at all; never replace a file.

    A file `path` + `.new` left over by a process that died is overwritten. Raises
    `FileExistsError` if `path` exists.
    """
    unfinished = path.with_name(path.name + ".new")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    rename_new(unfinished, path)
    sync_folder(path.parent)


def make_folders(folder: Path) -> None:
    """Create `folder` and its missing parents, each durably."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def remove_folder(folder: Path) -> None:
    """Delete `folder` if it exists.

    A process that is ending may still create and delete files in it. This function tries a few
    times; files created later remain.
    """
    for _ in range(REMOVE_TRIES):
        if not folder.exists():
            return
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise


def take_owner(path: Path, model: Path) -> None:
    """Give `path` the owner and the group of `model`. Raises `PermissionError`.

    A link is not followed: somebody might have put it there to get another file.
    """
    wanted, has = model.stat(), path.lstat()
    if (has.st_uid, has.st_gid) != (wanted.st_uid, wanted.st_gid):
        os.chown(path, wanted.st_uid, wanted.st_gid, follow_symlinks=False)


def take_after(path: Path, model: Path) -> None:
    """Give `path` the owner, the group and the permissions of `model`, with those of its ACL.

    Raises `PermissionError`.
    """
    take_owner(path, model)
    mode = stat.S_IMODE(model.stat().st_mode)
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)
    for name in os.listxattr(model):
        if name.startswith("system.posix_acl_"):
            os.setxattr(path, name, os.getxattr(model, name))


def sync_folder(folder: Path) -> None:
    """Flush the entries of `folder` to disk, so that they survive a power cut."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Flush the content of `path` to disk, so that it survives a power cut."""
    _sync(path, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_renames(folder: Path) -> None:
    """Check that the file system of `folder` has atomic renames, by trying them there.

    Raises `PublishError` if it does not.
    """
    one, other = folder / ".rename-check-a", folder / ".rename-check-b"
    try:
        one.mkdir(exist_ok=True)
        other.mkdir(exist_ok=True)
        exchange(one, other)
        one.rmdir()
        rename_new(other, one)
        one.rmdir()
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise PublishError(
                f"the file system of {folder} lacks renameat2; give a folder on ext4, xfs or btrfs"
            ) from None
        raise


@contextmanager
def refusing_unwritable(folder: Path) -> Iterator[None]:
    """Convert the errors of a read-only, full or invalid `folder` to `PublishError`."""
    try:
        yield
    except ConnectionError:
        raise
    except OSError as error:
        way_out = "expected a folder that this user can write to"
        if error.errno in WAYS_OUT:
            way_out = f"{WAYS_OUT[error.errno]}; nothing is lost"
        elif error.errno == errno.EIO:
            way_out = "check the disk, then start again"
        raise PublishError(
            f"cannot write {error.filename or folder}: {error.strerror}; {way_out}"
        ) from error
