"""The named steps of a change of the table. Each is timed, and tests kill the process at each."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """A point that a change of the table passes, in this order.

    An expiry reads no records and writes no files. A change that writes no files passes `STAGED`
    right before `SYNCED`. Only compaction and erasing pass `REWRITTEN`, `COMPARED` and `EXCHANGED`.
    """

    REWRITTEN = "rewritten"
    """The rows of a folder that stay are written to new files, which no reader sees yet."""
    COMPARED = "compared"
    """The new files have the same rows as the old ones, without those to erase."""
    BEGUN = "begun"
    """This process has the lock for writing; nothing of the change is done yet."""
    RECOVERED = "recovered"
    """The unfinished work of an earlier process is finished or deleted."""
    STAGED = "staged"
    """The staging folder of the change exists and is empty."""
    WRITTEN = "written"
    """The events are written to files in the staging folder, including copies."""
    FAILED_WRITTEN = "failed_written"
    """The failed events are written to files in the staging folder."""
    DEDUPLICATED = "deduplicated"
    """The copies are removed from the files."""
    CHECKED = "checked"
    """Kafka still has the table's topic. Only changes that read from Kafka pass this step."""
    SYNCED = "synced"
    """All files of the change are on disk (fsync)."""
    COMMITTED = "committed"
    """The log has the commit: from now on the change will be finished, even after a kill."""
    PLACED_ONE = "placed_one"
    """One file is renamed into the table; passed once for each file."""
    PLACED = "placed"
    """All files are in the table, and the renames are on disk."""
    EXCHANGED = "exchanged"
    """The folder is exchanged with the new one, and the exchange is on disk."""
    REMOVED = "removed"
    """The files that the commit removes from the table are deleted."""
    FINISHED = "finished"
    """The staging folder is deleted."""
    FOLDED = "folded"
    """The commits in the log are folded into one file. Only some changes pass this step."""
    TIDIED = "tidied"
    """The folded commits are deleted. Only some changes pass this step."""


Watch = Callable[[Step], None]
"""Called at each step; an exception that it raises ends the change there."""


def unwatched(_: Step) -> None:
    """Do nothing at a step."""
