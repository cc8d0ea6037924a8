"""Reads a table again if its files disappear meanwhile.

`events-stream compact`, `erase` and `expire` replace or delete a table's files while others read
them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import structlog

from events_schema import EventsError
from events_schema.runtime.database import READ_TRIES, RETRY_SECONDS
from events_schema.runtime.errors import TableReplaced

log = structlog.get_logger()

T = TypeVar("T")


def steadily(read: Callable[[], T]) -> T:
    """Return the result of `read`, which lists a table and reads its files.

    If it raises `FileNotFoundError` with the name of a file, it is called again, a few times.
    Raises `TableReplaced` if files keep disappearing, and the other errors of `read`.
    """
    gone = ""
    for _ in range(READ_TRIES):
        if gone:
            log.warning("the table has changed; reading it again", gone=gone)
            time.sleep(RETRY_SECONDS)
        try:
            return read()
        except FileNotFoundError as error:
            if not error.filename:  # not a file of the table, but a temporary folder
                raise
            gone = str(error.filename)
    raise TableReplaced(
        f"{gone} disappeared before it was read, after {READ_TRIES - 1} retries; "
        f"try again when the table changes less often"
    )


@contextmanager
def noticing_gone(files: Iterable[Path]) -> Iterator[None]:
    """Raise `FileNotFoundError` instead of an `EventsError` if one of `files` is gone."""
    try:
        yield
    except EventsError:
        for path in files:
            with suppress(PermissionError):
                path.stat()
        raise
