"""The errors of this package."""

from __future__ import annotations

from typing import ClassVar

from events_schema import EventsError


class IngestError(EventsError):
    """The base class of the errors that events-ingest raises."""


class ProducerError(IngestError):
    """The base class of the reasons why a record was not acknowledged.

    `attempted` says whether the record may be on the topic nevertheless; `code` is the error code
    in the answer to the client.
    """

    retriable = True
    attempted: ClassVar[bool] = False
    code: ClassVar[str] = "unavailable"


class BrokerUnavailable(ProducerError):
    """Raised when Kafka is unavailable, or its topic cannot take records."""

    code = "broker_unavailable"


class BufferFull(ProducerError):
    """Raised when too many bytes are already waiting for Kafka."""

    code = "buffer_full"


class NotAcknowledged(ProducerError):
    """Raised when a record was sent to Kafka and not acknowledged."""

    attempted = True
    code = "not_acknowledged"
