"""Lock files that one process holds at a time; the kernel releases them when it ends."""

from __future__ import annotations

import fcntl
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from events_schema.runtime.errors import AlreadyLocked
from events_schema.runtime.files import refusing_unwritable

LOCK_SECONDS = 0.5
"""How long to retry a lock that another process holds."""


@contextmanager
def exclusive_lock(
    path: Path, holder: str, *, waiting: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock file `path` during the context; the kernel releases it if the process dies.

    `holder` describes this process in the error that others get. If another process holds the
    lock for longer than `LOCK_SECONDS` (a call of `is_locked` holds it only for a moment), raises
    `AlreadyLocked`; or, if `waiting` is given, calls it with the holder's description and waits.
    Raises `PublishError` if the file cannot be written.
    """
    with ExitStack() as stack:
        with refusing_unwritable(path.parent):
            # Nothing is written on close.
            file = stack.enter_context(open(path, "ab+", buffering=0, opener=_open_no_link))
            if not _lock(file, LOCK_SECONDS):
                file.seek(0)
                other = file.read(200).decode("utf-8", "replace").strip() or "another process"
                if waiting is None:
                    raise AlreadyLocked(f"{path} is held by {other}; stop it first")
                waiting(other)
                _lock(file, math.inf)
            file.truncate(0)
            file.write(f"{holder}, process {os.getpid()}\n".encode())
        yield


def _open_no_link(path: str, flags: int) -> int:
    # What a link leads to would be overwritten, by root even a file of the system.
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _lock(file: IO[bytes], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock file `path`."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
