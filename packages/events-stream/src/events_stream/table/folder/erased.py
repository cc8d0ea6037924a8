"""The file with the ids of erased users, kept while Kafka may have earlier records of them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from events_schema.runtime.errors import TableDamaged
from events_schema.runtime.files import sync_folder, take_owner
from events_schema.tables.paths import TablePaths
from events_stream.table.folder.state import TableState

FORMAT = 1

Users = frozenset[int]


class _Content(BaseModel):
    format: int = FORMAT
    erasures: dict[int, Users] = {}
    """The users of each erasure, by the number of its receipt."""


class ErasedUsers:
    """The ids of the users whose erasures are open, in one file that only its owner may read.

    The log decides: an entry counts only while the table has an open receipt of its number. So an
    entry is added before the receipt is committed, and deleted after the receipt was closed.
    Changes need the table's lock for writing. All methods raise `TableDamaged` if the file cannot
    be read, and `OSError`.
    """

    def __init__(self, paths: TablePaths) -> None:
        self._path = paths.control / "erased.json"
        self._new = self._path.with_name(f"{self._path.name}.new")

    def read(self, state: TableState) -> Mapping[int, Users]:
        """Return the users of each open erasure, by number.

        Raises `TableDamaged` if those of one are missing: its records might be stored again.
        """
        if not state.open_erasures:
            return {}
        known = self.read_known(state)
        for erasure in state.open_erasures:
            if erasure.number not in known:
                when = f"{erasure.erased_at:%Y-%m-%d %H:%M:%S} UTC"
                raise TableDamaged(
                    f"{self._path} lacks the users of the erasure of {when}; restore it, or erase "
                    f"the same users again"
                )
        return known

    def read_known(self, state: TableState) -> Mapping[int, Users]:
        """Return what the file has of the open erasures, by number."""
        numbers = {each.number for each in state.open_erasures}
        if not numbers:
            return {}
        return {n: users for n, users in self._load().items() if n in numbers}

    def add(self, state: TableState, number: int, users: Users) -> None:
        """Add the users of the erasure that the next commit, `number`, will begin."""
        self._save({**self.read_known(state), number: users})

    def tidy(self, state: TableState) -> None:
        """Delete the ids of erasures that are not open, and the file with the last one."""
        self._new.unlink(missing_ok=True)  # of a process that was killed
        if not self._path.exists():
            return
        known = self.read_known(state)
        if not known or known != self._load():
            self._save(known)

    def _load(self) -> Mapping[int, Users]:
        try:
            content = _Content.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError:
            raise TableDamaged(
                f"{self._path} is unreadable; restore it, or delete it and erase the same users "
                f"again"
            ) from None
        if content.format > FORMAT:
            raise TableDamaged(
                f"{self._path} has format {content.format}, from a newer events-stream; upgrade it"
            )
        return content.erasures

    def _save(self, erasures: Mapping[int, Users]) -> None:
        """Replace the file in one step; delete it if it would be empty."""
        if erasures:
            self._write(_Content(erasures=dict(erasures)))
        else:
            self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)

    def _write(self, content: _Content) -> None:
        self._new.unlink(missing_ok=True)  # of a process that was killed
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            take_owner(self._new, self._path.parent)
            file.write(content.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        self._new.replace(self._path)
