"""The collector: takes events over HTTP and answers 200 when Kafka has them."""

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
