"""The errors of this package."""

from __future__ import annotations

from events_schema import EventsError


class AnalyticsError(EventsError):
    """The root of all errors that events-analytics raises."""


class NoData(AnalyticsError):
    """Raised when a folder has no parquet files, or only parquet files without rows."""

    retriable = True


class UnreadableFile(AnalyticsError):
    """Raised when a parquet file cannot be read."""


class ColumnsMissing(AnalyticsError):
    """Raised when a file lacks required columns, or has them with another type."""


class ManifestMissing(AnalyticsError):
    """Raised when the manifest of a version does not exist or cannot be read."""


class SourceChanged(AnalyticsError):
    """Raised when raw files of a version are missing, or have another number of rows."""


class SourceRewritten(AnalyticsError):
    """Raised when the raw table no longer tells exactly the rows that a version was made from.

    Some were expired or erased since then, or compacted into files with later ones.
    """

    exit_code = 6


class NotVerified(AnalyticsError):
    """Raised when a published table does not match its manifest and its raw files."""

    exit_code = 5


class ResultDiffers(AnalyticsError):
    """Raised when Spark did not write exactly one row for each row that it read."""


class MetricsFileUnwritable(AnalyticsError):
    """Raised before a run when its metrics file cannot be written."""


class MetricsNotWritten(AnalyticsError):
    """Raised when a run has published its result but could not write its metrics."""

    exit_code = 4


class Interrupted(AnalyticsError):
    """Raised when SIGINT ends a run before its result is published."""

    retriable = True
    exit_code = 130


class Terminated(Interrupted):
    """Raised when SIGTERM ends a run before its result is published."""

    exit_code = 143
