"""Writes records into a change of the table: records -> events and failed events -> files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from pyspark.sql import Column, DataFrame, Observation

from events_schema import Contract
from events_stream.errors import CountMismatch
from events_stream.records.decode import Decode, decoder, events, failed_events
from events_stream.records.erased import is_erased
from events_stream.records.heartbeat import beating
from events_stream.records.spans import spans
from events_stream.table.folder.change import Change
from events_stream.table.folder.deduplication import remove_copies
from events_stream.table.folder.parquet import (
    DescribedFile,
    describe_events,
    describe_failed_events,
)
from events_stream.table.folder.state import TableState
from events_stream.table.folder.table import Table
from events_stream.table.position import Counts, Span
from events_stream.table.steps import Step


@dataclass(frozen=True)
class RecordWriter:
    """Writes records into changes of a table: each event once, and the failed events."""

    table: Table
    window: timedelta
    """Copies of an event received at most this far apart are stored once; 0 turns this off."""
    contract: Contract[Any]
    """Defines which records are events, and their columns."""

    @cached_property
    def decode(self) -> Decode:
        """The function that decodes each record into an event or a reason; see `decoder`."""
        return decoder(self.contract)

    def write(
        self, change: Change, records: DataFrame, partitions: Sequence[int] = ()
    ) -> Mapping[int, Span]:
        """Write `records` into the staging folder of `change`, and set its files and counts.

        Each partition of `records` becomes one file per day. Returns which offsets of the topic's
        `partitions` were read. Raises `CountMismatch`, and `NotAnEvolution` if the table has own
        fields that the contract lacks.
        """
        # Checked for each change: another process may have written with another contract.
        change.state.check_contract(self.contract, self.table.paths)
        change.own_types = self.contract.own_types
        staging = change.staging
        decoded = records.transform(self.decode)
        erased = self._erased(change.state, is_replay=not partitions)
        seen = Observation()
        beat = self.table.beat
        with beating(records.sparkSession, beat):
            staging.write_events(decoded.transform(events, seen, partitions, erased))
        observed = seen.get
        read, failed = observed["read"], observed["failed"]
        self.table.watch(Step.WRITTEN)
        if failed:  # rare enough to read the records a second time
            with beating(records.sparkSession, beat):
                staging.write_failed_events(decoded.transform(failed_events, Observation(), erased))
        self.table.watch(Step.FAILED_WRITTEN)
        stored = describe_events(staging.event_files, beat)
        duplicates = self._remove_copies(change, stored)
        if duplicates:
            stored = describe_events(staging.event_files, beat)
        table_files = staging.describe(stored)
        failed_files = staging.describe(describe_failed_events(staging.failed_event_files))
        self.table.watch(Step.DEDUPLICATED)
        counts = Counts(
            read=read,
            stored=sum(file.rows for file in table_files),
            duplicates=duplicates,
            failed=sum(file.rows for file in failed_files),
            erased=observed.get("erased", 0),
        )
        check_counts(counts)  # before anything is added to the change
        change.counts, change.table_files, change.failed_files = counts, table_files, failed_files
        return spans(observed, partitions)

    def _erased(self, state: TableState, *, is_replay: bool) -> Column | None:
        """Return which records to drop. Raises `TableDamaged` if the users are not known."""
        start = {} if is_replay else state.position.next_offsets
        return is_erased(state.open_erasures, self.table.erased.read(state), start)

    def _remove_copies(self, change: Change, written: list[DescribedFile]) -> int:
        if not self.window:
            return 0
        times = [span for file in written for span in file.received]
        near = self.table.locate(change.state.files_received_near(times, self.window))
        spill = change.staging.folder / "spill"
        return remove_copies([file.path for file in written], near, spill, self.table.beat)


def check_counts(counts: Counts) -> None:
    """Check that no record is unaccounted for. Raises `CountMismatch`."""
    if counts.read != counts.stored + counts.duplicates + counts.failed + counts.erased:
        raise CountMismatch(
            f"{counts.read} records were read, but {counts.stored} stored, {counts.duplicates} "
            f"duplicates, {counts.failed} failed and {counts.erased} erased do not add up to that; "
            f"nothing was committed"
        )
