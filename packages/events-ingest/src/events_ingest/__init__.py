"""The collector: accepts events over HTTP and answers 200 once Kafka has stored them.

Names are imported on first use, so `--help` and programs load only what they need.
"""

from typing import TYPE_CHECKING

from events_schema.lazy import lazy_names

if TYPE_CHECKING:
    from events_ingest.errors import (
        BrokerUnavailable,
        BufferFull,
        IngestError,
        NotAcknowledged,
        ProducerError,
    )
    from events_ingest.kafka.group_commit import GroupCommit, RecordSink
    from events_ingest.kafka.producer import EventProducer, KafkaProducer
    from events_ingest.kafka.topic import Topic
    from events_ingest.server.app import create_app
    from events_ingest.server.server import CollectorServer
    from events_ingest.settings import ServeSettings
    from events_schema.runtime.errors import AddressUnavailable

__all__ = [
    "AddressUnavailable",
    "BrokerUnavailable",
    "BufferFull",
    "CollectorServer",
    "EventProducer",
    "GroupCommit",
    "IngestError",
    "KafkaProducer",
    "NotAcknowledged",
    "ProducerError",
    "RecordSink",
    "ServeSettings",
    "Topic",
    "create_app",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "events_ingest.errors": (
            "BrokerUnavailable",
            "BufferFull",
            "IngestError",
            "NotAcknowledged",
            "ProducerError",
        ),
        "events_ingest.kafka.group_commit": ("GroupCommit", "RecordSink"),
        "events_ingest.kafka.producer": ("EventProducer", "KafkaProducer"),
        "events_ingest.kafka.topic": ("Topic",),
        "events_ingest.server.app": ("create_app",),
        "events_ingest.server.server": ("CollectorServer",),
        "events_ingest.settings": ("ServeSettings",),
        "events_schema.runtime.errors": ("AddressUnavailable",),
    },
)
