"""The errors shared by the commands of all packages."""

from __future__ import annotations

from events_schema.errors import EventsError


class CommandError(EventsError):
    """The base class of the errors in `events_schema.runtime` and `events_schema.tables`."""


class JavaNotFound(CommandError):
    """Raised when no Java of a supported version can be started."""


class JarsNotResolved(CommandError):
    """Raised when jars are not in the cache and cannot be downloaded."""

    retriable = True


class SparkNotStarted(CommandError):
    """Raised when Spark's Java process ends before it is ready."""


class UsageError(CommandError):
    """Raised when a command's flags, environment or arguments are invalid."""

    exit_code = 2


class KafkaRefused(CommandError):
    """Raised when Kafka refuses the login or the topic, or a certificate is not accepted.

    Waiting does not cure it, so a command that starts ends at once.
    """

    exit_code = 2


class AlreadyLocked(CommandError):
    """Raised when another process holds a lock that only one process may hold."""

    exit_code = 3


class PublishError(CommandError):
    """Raised when a table cannot be written to a folder: foreign, a mount point, read-only."""


class TableDamaged(CommandError):
    """Raised when the raw table's files and its log disagree, or its log cannot be read."""

    exit_code = 5


class TableReplaced(CommandError):
    """Raised when files keep disappearing before they are read, however often they are listed."""

    retriable = True


class DatabaseFailed(CommandError):
    """Raised when DuckDB fails: too little space for its temporary files, or a damaged file."""


class SparkFailed(CommandError):
    """Raised when Spark fails while it reads, computes or writes."""


class AddressUnavailable(CommandError):
    """Raised when a command cannot listen on its configured address."""

    exit_code = 3


class SourceMissing(CommandError):
    """Raised when a folder to read does not exist or is not a folder."""
