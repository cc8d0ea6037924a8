"""Writing records into a table's staging folder: records -> events and failed events -> files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from pyspark.sql import DataFrame, Observation

from events_schema import released_schemas
from events_stream.errors import CountMismatch
from events_stream.records.decode import Decode, decoder, events, failed_events
from events_stream.table.folder.commit import StagedFile
from events_stream.table.folder.deduplication import remove_copies
from events_stream.table.folder.parquet import FileRows, describe_events, describe_failed_events
from events_stream.table.folder.staging import Staging
from events_stream.table.folder.table import Table
from events_stream.table.position import Counts
from events_stream.table.steps import Step


@dataclass(frozen=True)
class Written:
    """What was staged of some records, all of them accounted for."""

    counts: Counts
    table_files: tuple[StagedFile, ...]
    failed_files: tuple[StagedFile, ...]


@dataclass(frozen=True)
class RecordWriter:
    """Writes records into a table's staging folders: events once, and failed events."""

    table: Table
    window: timedelta
    """Copies of an event received at most so far apart are stored once; 0 looks for none."""
    decode: Decode = field(default_factory=lambda: decoder(released_schemas()))

    def write(self, staging: Staging, records: DataFrame) -> Written:
        """Write `records`, a file a day from each of their partitions. Raises `CountMismatch`."""
        decoded = records.transform(self.decode)
        seen = Observation()
        staging.write_events(decoded.transform(events, seen))
        read, failed = seen.get["read"], seen.get["failed"]
        self.table.watch(Step.WRITTEN)
        if failed:  # rare enough to read the records once more
            staging.write_failed_events(decoded.transform(failed_events, Observation()))
        self.table.watch(Step.FAILED_WRITTEN)
        stored = describe_events(staging.event_files)
        duplicates = self._remove_copies(staging, stored)
        if duplicates:
            stored = describe_events(staging.event_files)
        table_files = staging.describe(stored)
        failed_files = staging.describe(describe_failed_events(staging.failed_event_files))
        self.table.watch(Step.DEDUPLICATED)
        counts = Counts(
            read=read,
            stored=sum(file.rows for file in table_files),
            duplicates=duplicates,
            failed=sum(file.rows for file in failed_files),
        )
        check_counts(counts)
        return Written(counts, table_files, failed_files)

    def _remove_copies(self, staging: Staging, written: list[FileRows]) -> int:
        earliest = [file.earliest_received for file in written if file.earliest_received]
        latest = [file.latest_received for file in written if file.latest_received]
        if not self.window or not earliest:
            return 0
        near = self.table.state.files_received_near(min(earliest), max(latest), self.window)
        return remove_copies(
            [file.path for file in written], self.table.locate(near), staging.folder / "spill"
        )


def check_counts(counts: Counts) -> None:
    """Refuse a change of which a record is unaccounted for. Raises `CountMismatch`."""
    if counts.read != counts.stored + counts.duplicates + counts.failed:
        raise CountMismatch(
            f"{counts.read} records were read, but {counts.stored} stored, {counts.duplicates} "
            f"duplicates and {counts.failed} failed make another sum; nothing was committed"
        )
