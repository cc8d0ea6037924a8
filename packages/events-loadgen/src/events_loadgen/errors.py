"""The errors of this package."""

from __future__ import annotations

from events_schema import EventsError


class LoadgenError(EventsError):
    """The root of the errors that events-loadgen raises."""


class ExtraMissing(LoadgenError):
    """Raised when `simulate` is asked for without the packages that it runs."""

    exit_code = 2


class FolderNotEmpty(LoadgenError):
    """Raised when the folder for a simulation holds something already."""

    exit_code = 2


class TooLate(LoadgenError):
    """Raised when what was waited for has not come by its deadline."""

    retriable = True


class ChildFailed(LoadgenError):
    """Raised when a child process ends, or fails, where it should not."""


class NotAcknowledged(LoadgenError):
    """Raised when the collector does not take an event that it should."""


class CountsDisagree(LoadgenError):
    """Raised when events that were acknowledged are not in the result, or too many are."""


class Interrupted(LoadgenError):
    """Raised when SIGINT or SIGTERM ends a simulation before it is complete."""

    exit_code = 130
