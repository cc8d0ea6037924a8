"""The named steps of changing the table: they are timed, and tests kill the process at each."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """A point that changes of the table pass, in this order; an expiry writes and reads nothing.

    A change that writes no files passes `STAGED` right before `SYNCED`.
    """

    BEGUN = "begun"
    """The table is this process's to write, and nothing of the change is done."""
    RECOVERED = "recovered"
    """What an earlier process left is finished or deleted."""
    STAGED = "staged"
    """The change's own folder is there, and empty."""
    WRITTEN = "written"
    """The events are in files there, copies among them."""
    FAILED_WRITTEN = "failed_written"
    """So are the failed events."""
    DEDUPLICATED = "deduplicated"
    """The copies are out of the files."""
    CHECKED = "checked"
    """Kafka still has the table's topic; not of changes that read nothing from it."""
    SYNCED = "synced"
    """All of it is on disk."""
    COMMITTED = "committed"
    """The log has the commit: from here on, the change is finished whatever dies."""
    PLACED_ONE = "placed_one"
    """One more file is where readers look; passed once for each."""
    PLACED = "placed"
    """All are, durably."""
    REMOVED = "removed"
    """The files that the commit takes out of the table are deleted."""
    FINISHED = "finished"
    """The change's folder is gone."""
    FOLDED = "folded"
    """The log's commits are folded into one file; not of every change."""
    TIDIED = "tidied"
    """The commits that were folded are deleted; not of every change."""


Watch = Callable[[Step], None]
"""Called at each step; what it raises ends the change there."""


def unwatched(_: Step) -> None:
    """Watch nothing."""
