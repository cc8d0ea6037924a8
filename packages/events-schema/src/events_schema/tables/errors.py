"""The errors of this folder."""

from __future__ import annotations

from events_schema.errors import EventsError


class TableError(EventsError):
    """The root of the errors of addressing and reading tables."""


class SourceMissing(TableError):
    """Raised when a folder to read is not there, or is not a folder."""
