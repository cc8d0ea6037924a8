"""The errors of this package. Each has the exit code of the command."""

from __future__ import annotations

from events_schema import EventsError


class StreamError(EventsError):
    """The root of all errors that events-stream raises."""


class BrokerUnavailable(StreamError):
    """Raised when Kafka does not answer in time."""

    retriable = True
    exit_code = 4


class TopicMissing(StreamError):
    """Raised when the topic does not exist."""

    retriable = True
    exit_code = 4


class OtherSource(StreamError):
    """Raised when the table was filled from another topic or cluster."""

    exit_code = 5


class OffsetGap(StreamError):
    """Raised when a micro-batch does not continue where the table ends; the next start will."""

    retriable = True
    exit_code = 6


class RecordsLost(StreamError):
    """Raised when Kafka deleted records before they were stored in the table."""

    exit_code = 5


class TopicCut(StreamError):
    """Raised when the topic ends before the table does."""

    exit_code = 5


class CutUnknown(StreamError):
    """Raised when Kafka cut or replaced its log, and cannot say from which offset on."""

    exit_code = 5


class OtherRecords(StreamError):
    """Raised when Spark read other records than its plan says; nothing of the batch is stored."""

    retriable = True
    exit_code = 6


class CheckpointUnreadable(StreamError):
    """Raised when Spark's checkpoint lacks the offsets of a micro-batch; a new start fixes it."""

    retriable = True
    exit_code = 6


class TableMissing(StreamError):
    """Raised when the table does not exist, or when this user may not read it."""


class NotOurs(StreamError):
    """Raised when a folder holds files that neither the stream nor Spark wrote."""


class CountMismatch(StreamError):
    """Raised when stored, duplicate and failed records do not add up to the records read.

    Nothing is stored then.
    """

    exit_code = 5


class RowsDiffer(StreamError):
    """Raised when rewritten files have other rows than the old ones. Nothing is changed then."""

    exit_code = 5


class Stalled(StreamError):
    """Raised when the stream makes no progress for too long, or Spark's Java process has ended."""

    retriable = True
    exit_code = 6
