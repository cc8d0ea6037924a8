"""The errors of this package."""

from __future__ import annotations

from events_schema import EventsError


class AnalyticsError(EventsError):
    """The root of the errors that events-analytics raises."""


class NoData(AnalyticsError):
    """Raised when a folder holds no parquet files, or only files without rows."""

    retriable = True


class UnreadableFile(AnalyticsError):
    """Raised when a file that should be parquet is not."""


class ColumnsMissing(AnalyticsError):
    """Raised when a file lacks columns that are needed, or has them in another type."""


class ManifestMissing(AnalyticsError):
    """Raised when the manifest of a version is not there, or cannot be read."""


class SourceChanged(AnalyticsError):
    """Raised when raw files that a version was made from are gone, or have other rows."""


class NotVerified(AnalyticsError):
    """Raised when a published table is not what its manifest and the raw files make it."""

    exit_code = 5


class ResultDiffers(AnalyticsError):
    """Raised when what Spark wrote is not one typed row for each row it was given."""


class MetricsFileUnwritable(AnalyticsError):
    """Raised before a run when its metrics could not be written after it."""


class MetricsNotWritten(AnalyticsError):
    """Raised when a run has published and its metrics cannot be written."""

    exit_code = 4


class Interrupted(AnalyticsError):
    """Raised when SIGINT ends a run before its result is published."""

    retriable = True
    exit_code = 130


class Terminated(Interrupted):
    """Raised when SIGTERM ends a run before its result is published."""

    exit_code = 143
