"""The errors that the commands of all packages share."""

from __future__ import annotations

from events_schema.errors import EventsError


class CommandError(EventsError):
    """The root of the errors in `events_schema.runtime` and `events_schema.tables`."""


class JavaNotFound(CommandError):
    """Raised when no Java of a supported version can be started."""


class JarsNotResolved(CommandError):
    """Raised when jars are neither in the cache nor to be had from the network."""

    retriable = True


class SparkNotStarted(CommandError):
    """Raised when Spark's Java process ends before it is ready."""


class UsageError(CommandError):
    """Raised when a command's flags, environment or arguments cannot be used."""

    exit_code = 2


class AlreadyLocked(CommandError):
    """Raised when another process holds the lock that only one may hold."""

    exit_code = 3


class PublishError(CommandError):
    """Raised when a folder cannot be published to: not ours, a mount point, read-only."""


class TableReplaced(CommandError):
    """Raised when files go before they are read, each time that they are listed anew."""

    retriable = True


class DatabaseFailed(CommandError):
    """Raised when DuckDB fails: no room for its temporary files, or a damaged file."""


class SparkFailed(CommandError):
    """Raised when Spark fails while it reads, computes or writes."""


class AddressUnavailable(CommandError):
    """Raised when a command cannot listen where it was told to."""

    exit_code = 3


class SourceMissing(CommandError):
    """Raised when a folder to read is not there, or is not a folder."""
