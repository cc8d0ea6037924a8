"""Stores events from a Kafka topic as parquet files by day, each event once, with Spark.

Names are imported on first use, so that `--help` and a program load only what they need.
"""

from typing import TYPE_CHECKING

from events_schema.lazy import lazy_names

if TYPE_CHECKING:
    from events_stream.errors import StreamError
    from events_stream.kafka.source import KafkaSource
    from events_stream.records.writer import RecordWriter
    from events_stream.run.batch import BatchSink
    from events_stream.run.stream import StreamRun
    from events_stream.table.folder.open import open_table
    from events_stream.table.folder.table import Table

__all__ = [
    "BatchSink",
    "KafkaSource",
    "RecordWriter",
    "StreamError",
    "StreamRun",
    "Table",
    "open_table",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "events_stream.errors": ("StreamError",),
        "events_stream.kafka.source": ("KafkaSource",),
        "events_stream.records.writer": ("RecordWriter",),
        "events_stream.run.batch": ("BatchSink",),
        "events_stream.run.stream": ("StreamRun",),
        "events_stream.table.folder.open": ("open_table",),
        "events_stream.table.folder.table": ("Table",),
    },
)
