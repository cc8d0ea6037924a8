"""The collector: accepts events over HTTP and answers 200 once Kafka has stored them.

Names are imported on first use, so `--help` and programs load only what they need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    "AddressUnavailable": "events_schema.runtime.errors",
    "BrokerUnavailable": "events_ingest.errors",
    "BufferFull": "events_ingest.errors",
    "CollectorServer": "events_ingest.server.server",
    "EventProducer": "events_ingest.kafka.producer",
    "GroupCommit": "events_ingest.kafka.group_commit",
    "IngestError": "events_ingest.errors",
    "KafkaProducer": "events_ingest.kafka.producer",
    "NotAcknowledged": "events_ingest.errors",
    "ProducerError": "events_ingest.errors",
    "RecordSink": "events_ingest.kafka.group_commit",
    "ServeSettings": "events_ingest.settings",
    "Topic": "events_ingest.kafka.topic",
    "create_app": "events_ingest.server.app",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
