"""The errors of this package, each with the exit code that the command ends with."""

from __future__ import annotations

from events_schema import EventsError


class StreamError(EventsError):
    """The root of the errors that events-stream raises."""


class BrokerUnavailable(StreamError):
    """Raised when Kafka does not answer for longer than the stream waits."""

    retriable = True
    exit_code = 4


class TopicMissing(StreamError):
    """Raised when the topic does not exist."""

    retriable = True
    exit_code = 4


class OtherSource(StreamError):
    """Raised when the topic or the cluster is not the one that the table was filled from."""

    exit_code = 5


class OffsetGap(StreamError):
    """Raised when a micro-batch does not go on where the table ends; the next start does."""

    retriable = True
    exit_code = 6


class RecordsLost(StreamError):
    """Raised when Kafka no longer has records that the table lacks."""

    exit_code = 5


class TopicCut(StreamError):
    """Raised when the topic ends before the table does."""

    exit_code = 5


class CheckpointUnreadable(StreamError):
    """Raised when Spark's checkpoint lacks a micro-batch's offsets; a new one has them."""

    retriable = True
    exit_code = 6


class TableDamaged(StreamError):
    """Raised when the table's files and its log contradict each other."""

    exit_code = 5


class TableMissing(StreamError):
    """Raised when there is no table to look at or to change, or none that this user may read."""


class NotOurs(StreamError):
    """Raised when the target holds something that no stream wrote."""


class CountMismatch(StreamError):
    """Raised when records read are not those stored, duplicate and failed; nothing is stored."""

    exit_code = 5


class Stalled(StreamError):
    """Raised when nothing goes on for too long, or Spark's Java process has ended."""

    retriable = True
    exit_code = 6
