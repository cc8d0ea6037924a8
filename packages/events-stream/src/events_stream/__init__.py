"""Stores events from a Kafka topic as parquet files by day, each event once, with Spark.

Names are imported on first use, so that `--help` and a program load only what they need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from events_stream.errors import StreamError
    from events_stream.kafka.source import KafkaSource
    from events_stream.records.writer import RecordWriter
    from events_stream.run.batch import BatchSink
    from events_stream.run.stream import StreamRun
    from events_stream.table.folder.table import Table, open_table

__all__ = [
    "BatchSink",
    "KafkaSource",
    "RecordWriter",
    "StreamError",
    "StreamRun",
    "Table",
    "open_table",
]

_MODULES = {
    "BatchSink": "events_stream.run.batch",
    "KafkaSource": "events_stream.kafka.source",
    "RecordWriter": "events_stream.records.writer",
    "StreamError": "events_stream.errors",
    "StreamRun": "events_stream.run.stream",
    "Table": "events_stream.table.folder.table",
    "open_table": "events_stream.table.folder.table",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
