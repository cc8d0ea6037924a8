"""Writes the output of a command to standard output, or to a file in one step."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from pathlib import Path

from events_schema.runtime.errors import UsageError
from events_schema.runtime.files import refusing_unwritable, sync_folder

STANDARD_OUTPUT = "-"


def check_output(destination: str) -> None:
    """Check before the work that `write_output` can write. Raises the same errors."""
    if destination != STANDARD_OUTPUT:
        folder = _file(destination).parent
        with refusing_unwritable(folder):
            if not os.access(folder, os.W_OK | os.X_OK):
                code = errno.EACCES if folder.is_dir() else errno.ENOENT
                raise OSError(code, os.strerror(code), str(folder))


def _file(destination: str) -> Path:
    path = Path(destination).resolve()
    if path.exists() and not path.is_file():
        raise UsageError(f"--output {path} is not a file; give a file's path, or - to print")
    return path


def write_output(destination: str, text: str) -> None:
    """Write `text` to the file `destination`, or to standard output for `-`.

    A file is written completely, and then appears or replaces the old one in one step. Raises
    `UsageError` if `destination` is not a file, and `PublishError` if it cannot be written.
    """
    if destination == STANDARD_OUTPUT:
        sys.stdout.write(text)
        return
    path = _file(destination)
    with refusing_unwritable(path.parent):
        _replace(path, text.encode())
    print(f"wrote {destination}")


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)
