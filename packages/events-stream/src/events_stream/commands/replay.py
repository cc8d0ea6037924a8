"""Stores failed events that can now be decoded, for example after an upgrade."""

from __future__ import annotations

from pyspark.sql import SparkSession

from events_schema.failed import FAILED_EVENT_DDL
from events_stream.records.decode import RECORD_COLUMNS
from events_stream.records.writer import RecordWriter
from events_stream.table.folder.commit import CommitKind
from events_stream.table.folder.staging import files_for
from events_stream.table.position import Counts


def replay(spark: SparkSession, writer: RecordWriter, *, apply: bool) -> Counts:
    """Decode the failed events again; with `apply`, store the valid events, each once.

    One commit adds the events to the table and replaces the failed events with those that still
    fail. If the process is killed before the commit, nothing changes; after it, the next change of
    the table finishes the work. If no failed event can be decoded, nothing changes.
    """
    with writer.table.change(CommitKind.REPLAY) as change:
        failed_files = change.state.failed_files
        if failed_files:
            located = writer.table.locate(failed_files.values())
            failed = spark.read.schema(FAILED_EVENT_DDL).parquet(*map(str, located))
            files = files_for(sum(file.rows for file in failed_files.values()))
            writer.write(change, failed.select(*RECORD_COLUMNS).coalesce(files))
            change.removed = tuple(failed_files)
        if not apply or change.counts.failed == change.counts.read:
            change.discard()
    return change.counts
