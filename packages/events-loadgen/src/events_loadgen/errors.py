"""The errors of this package."""

from __future__ import annotations

from events_schema import EventsError


class LoadgenError(EventsError):
    """Base class of the errors that events-loadgen raises."""


class ExtraMissing(LoadgenError):
    """Raised when packages that `simulate` needs are not installed."""

    exit_code = 2


class FolderNotEmpty(LoadgenError):
    """Raised when the folder for a simulation is not empty."""

    exit_code = 2


class TooLate(LoadgenError):
    """Raised when a wait times out."""

    retriable = True


class ChildFailed(LoadgenError):
    """Raised when a child process fails or exits too early."""


class NotAcknowledged(LoadgenError):
    """Raised when the collector does not acknowledge a valid event."""


class CountsDisagree(LoadgenError):
    """Raised when the stored events are not exactly the acknowledged ones."""


class Interrupted(LoadgenError):
    """Raised when SIGINT or SIGTERM ends a simulation before it is complete."""

    exit_code = 130
