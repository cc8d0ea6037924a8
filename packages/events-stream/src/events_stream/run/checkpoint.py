"""The folder of Spark's checkpoint, which only the running query needs.

Each query starts where the table ends, with a new checkpoint. So a checkpoint that is old, was
restored, or comes from other settings or another Spark version cannot lose or duplicate a record,
and cannot keep the stream from starting.
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
"""The entries of Spark's checkpoint of a query."""

_SPARKS_NAME = re.compile(r"\.{0,2}(\w+)(\.[0-9a-f-]{36}\.tmp)?(\.crc)?")
"""Also `.metadata.crc`, and `.metadata.UUID.tmp` if Spark was killed before it renamed that."""


class Checkpoint:
    """The folder for Spark's checkpoint, locked by this process. Use `open_checkpoint`."""

    def __init__(self, folder: Path) -> None:
        self.plans = plans_in(folder)

    def begin(self) -> None:
        """Delete the checkpoint of the previous query. Raises `PublishError`."""
        with refusing_unwritable(self.plans):
            remove_folder(self.plans)


def plans_in(folder: Path) -> Path:
    """Return the folder for Spark inside `--checkpoint`; only files there are ever deleted."""
    return folder / "query"


def _refuse_foreign(plans: Path) -> None:
    for entry in sorted(plans.iterdir()) if plans.exists() else []:
        name = _SPARKS_NAME.fullmatch(entry.name)
        if name is None or name[1] not in SPARKS_ENTRIES:
            raise NotOurs(f"{entry} was not written by Spark; give another --checkpoint")


@contextmanager
def open_checkpoint(checkpoint: str, paths: TablePaths) -> Iterator[Checkpoint]:
    """Lock the folder for Spark's checkpoint, and create it if it is missing.

    Raises `NotOurs` if it overlaps with the table's folders or contains files that Spark did not
    write, `PublishError` if it cannot be written, and `AlreadyLocked` if another stream uses it.
    """
    path = Path(checkpoint).resolve()
    for folder in (paths.target, paths.control, paths.failed):
        if path.is_relative_to(folder) or folder.is_relative_to(plans_in(path)):
            raise NotOurs(
                f"--checkpoint {path} overlaps with the table's folder {folder}; "
                f"give another --checkpoint"
            )
    with refusing_unwritable(path):
        _refuse_foreign(plans_in(path))
        make_folders(path)
        (path / "lock").touch()
    with exclusive_lock(path / "lock", "events-stream"):
        yield Checkpoint(path)
