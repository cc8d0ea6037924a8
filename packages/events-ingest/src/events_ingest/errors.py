"""The errors of this package."""

from __future__ import annotations

from typing import ClassVar

from events_schema import EventsError


class IngestError(EventsError):
    """The root of the errors that events-ingest raises."""


class ProducerError(IngestError):
    """The root of the reasons why a record has no acknowledgement.

    `attempted` says whether the record may be on the topic all the same; `code` is what the
    answer to the client calls it.
    """

    retriable = True
    attempted: ClassVar[bool] = False
    code: ClassVar[str] = "unavailable"


class BrokerUnavailable(ProducerError):
    """Raised when Kafka is known to be away, or its topic cannot take records."""

    code = "broker_unavailable"


class BufferFull(ProducerError):
    """Raised when too many bytes wait for Kafka already."""

    code = "buffer_full"


class NotAcknowledged(ProducerError):
    """Raised when a record was handed to Kafka and no acknowledgement came."""

    attempted = True
    code = "not_acknowledged"
