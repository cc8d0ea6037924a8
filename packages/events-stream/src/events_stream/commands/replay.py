"""Storing failed events that decode by now, as after an upgrade that knows a newer schema."""

from __future__ import annotations

from pyspark.sql import SparkSession

from events_schema.failed import FAILED_EVENT_DDL
from events_stream.records.decode import RECORD_COLUMNS
from events_stream.records.writer import RecordWriter
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.staging import files_for
from events_stream.table.position import Counts


def replay(spark: SparkSession, writer: RecordWriter, *, apply: bool) -> Counts:
    """Decode the failed events again; with `apply`, store those that are events, each once.

    The table is this process's to write. One commit puts the events into the table, and the rest
    in the place of the failed events: killed before it, nothing is done; after it, whoever
    writes next finishes. Where nothing decodes, nothing is written.
    """
    table, state = writer.table, writer.table.state
    if not state.failed_files:
        return Counts()
    staging = table.stage()
    located = table.locate(state.failed_files.values())
    failed = spark.read.schema(FAILED_EVENT_DDL).parquet(*map(str, located))
    files = files_for(sum(file.rows for file in state.failed_files.values()))
    written = writer.write(staging, failed.select(*RECORD_COLUMNS).coalesce(files))
    if not apply or written.counts.failed == written.counts.read:
        table.discard(staging)
        return written.counts
    table.store(
        state.next_commit(
            staging.folder.name,
            CommitKind.REPLAY,
            counts=written.counts,
            table_files=written.table_files,
            failed_files=written.failed_files,
            removed=tuple(state.failed_files),
        )
    )
    return written.counts
