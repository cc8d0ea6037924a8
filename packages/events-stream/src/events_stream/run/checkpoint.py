"""Spark's checkpoint: its notes on the query that runs, of which no later one needs anything.

Each query starts where the table ends, with a new checkpoint. An old one, a restored one, one of
other settings or of another Spark can so neither lose nor duplicate a record, nor keep the stream
from starting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from events_schema.runtime.files import make_folders, refusing_unwritable, remove_folder
from events_schema.runtime.locks import exclusive_lock
from events_schema.tables.paths import TablePaths
from events_stream.errors import NotOurs

SPARKS_ENTRIES = {"metadata", "sources", "offsets", "commits", "state"}
"""What Spark's checkpoint of a query consists of."""

_SPARKS_NAME = re.compile(r"\.{0,2}(\w+)(\.[0-9a-f-]{36}\.tmp)?(\.crc)?")
"""Also `.metadata.crc`, and `.metadata.UUID.tmp`, where it died before it could rename that."""


class Checkpoint:
    """The folder that Spark is given, held by this process. Use `open_checkpoint`."""

    def __init__(self, folder: Path) -> None:
        self.plans = plans_in(folder)

    def begin(self) -> None:
        """Forget the query before. Raises `PublishError`."""
        with refusing_unwritable(self.plans):
            remove_folder(self.plans)


def plans_in(folder: Path) -> Path:
    """Return the part of `--checkpoint` that is Spark's; nothing beside it is touched."""
    return folder / "query"


def _refuse_foreign(plans: Path) -> None:
    for entry in sorted(plans.iterdir()) if plans.exists() else []:
        name = _SPARKS_NAME.fullmatch(entry.name)
        if name is None or name[1] not in SPARKS_ENTRIES:
            raise NotOurs(f"{entry} was not written by Spark; give another --checkpoint")


@contextmanager
def open_checkpoint(checkpoint: str, paths: TablePaths) -> Iterator[Checkpoint]:
    """Hold the folder for Spark's checkpoint, created where it is missing.

    Raises `NotOurs` where it lies in the table's own folders, or its part for Spark holds other
    files, `PublishError` where it cannot be written, `AlreadyLocked` where another stream has it.
    """
    path = Path(checkpoint).resolve()
    for folder in (paths.target, paths.control, paths.failed):
        if path.is_relative_to(folder) or folder.is_relative_to(plans_in(path)):
            raise NotOurs(
                f"--checkpoint {path} and the table's {folder} lie in one another; "
                f"give another folder"
            )
    with refusing_unwritable(path):
        _refuse_foreign(plans_in(path))
        make_folders(path)
        (path / "lock").touch()
    with exclusive_lock(path / "lock", "events-stream"):
        yield Checkpoint(path)
