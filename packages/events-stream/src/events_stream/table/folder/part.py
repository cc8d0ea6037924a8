"""A part of the table: some files of one of its folders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from events_schema.tables.snapshot import StoredFile


@dataclass(frozen=True)
class Part:
    """Files of one folder: of a day, or of the failed events.

    `folder` is relative to the folder that holds the table.
    """

    folder: str
    files: tuple[StoredFile, ...]

    @property
    def day(self) -> str | None:
        """The day of the folder, as in `StoredFile.day`; None for failed events."""
        return self.files[0].day

    @property
    def rows(self) -> int:
        """The number of rows in the files."""
        return sum(file.rows for file in self.files)

    @property
    def newest_commit(self) -> int:
        """The newest commit that stored one of the rows."""
        return max(file.newest_commit for file in self.files)


def folder_of(file: StoredFile) -> str:
    """Return the folder of `file`, relative to the folder that holds the table."""
    return file.final.rpartition("/")[0]


def split(files: Iterable[StoredFile]) -> list[Part]:
    """Return the parts that have all of `files`, one for each folder, sorted by folder."""
    by_folder: dict[str, list[StoredFile]] = {}
    for file in files:
        by_folder.setdefault(folder_of(file), []).append(file)
    return [Part(folder, tuple(files)) for folder, files in sorted(by_folder.items())]
