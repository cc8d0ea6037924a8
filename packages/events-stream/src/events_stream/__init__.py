"""From the Kafka topic to parquet by day: Spark Structured Streaming, each event stored once."""

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
