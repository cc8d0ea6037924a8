"""Spark's checkpoint: its notes on the query that runs, of which no later one needs anything.

Each query starts where the table ends, with a new checkpoint. An old one, a restored one, one of
other settings or of another Spark can so neither lose nor duplicate a record, nor keep the stream
from starting.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from events_schema.layout import TableLayout
from events_schema.posix import exclusive_lock, make_folders, refusing_unwritable
from events_stream.errors import NotOurs


class Checkpoint:
    """The folder that Spark is given, held by this process. Use `open_checkpoint`."""

    def __init__(self, folder: Path) -> None:
        self.plans = plans_in(folder)

    def begin(self) -> None:
        """Forget the query before."""
        if self.plans.exists():
            shutil.rmtree(self.plans)


def plans_in(folder: Path) -> Path:
    """Return the part of `--checkpoint` that is Spark's; nothing beside it is touched."""
    return folder / "query"


@contextmanager
def open_checkpoint(checkpoint: str, layout: TableLayout) -> Iterator[Checkpoint]:
    """Hold the folder for Spark's checkpoint, created where it is missing.

    Raises `NotOurs` where it lies in the table's own folders, `PublishError` where it cannot be
    written, `AlreadyLocked` where another stream has it.
    """
    path = Path(checkpoint).resolve()
    for folder in (layout.target, layout.control, layout.failed):
        if path.is_relative_to(folder):
            raise NotOurs(f"--checkpoint {path} lies in the table's {folder}; give another folder")
    with refusing_unwritable(path):
        make_folders(path)
        (path / "lock").touch()
    with exclusive_lock(path / "lock", "events-stream"):
        yield Checkpoint(path)
