"""Writes the files of a change into its staging folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from events_schema.tables.partitions import PARTITION_COLUMN, partition_files
from events_schema.tables.paths import TablePaths
from events_schema.tables.snapshot import StagedFile
from events_stream.table.folder.parquet import DescribedFile
from events_stream.table.folder.part import Part

FILES_PER_DAY = 4
"""The most files that one change adds to a day."""

ROWS_PER_FILE = 250_000
"""A change writes fewer files if each would have fewer rows than this."""

WRITE_OPTIONS = {
    # A dictionary does not help with random text: Spark would build one and discard it.
    "parquet.enable.dictionary#event_id": "false",
    # Measured: for these rows, as small as the default (3), and cheaper.
    "parquet.compression.codec.zstd.level": "1",
}


def files_for(rows: int) -> int:
    """Return into how many files per day to write `rows` rows."""
    return min(FILES_PER_DAY, rows // ROWS_PER_FILE + 1)


@dataclass(frozen=True)
class Staging:
    """The folder for the files of one change, and their final names."""

    folder: Path
    paths: TablePaths

    def write_events(self, events: DataFrame) -> None:
        """Write the events, rows with a contract's stored columns, partitioned by day."""
        rows = events.select("*", F.to_date("event_time").alias(PARTITION_COLUMN))
        writer = rows.write.options(**WRITE_OPTIONS)
        writer.partitionBy(PARTITION_COLUMN).parquet(str(self._table))

    def write_failed_events(self, failed: DataFrame) -> None:
        """Write the failed events."""
        failed.write.parquet(str(self._failed))

    @property
    def _table(self) -> Path:
        return self.folder / "table"

    @property
    def _failed(self) -> Path:
        return self.folder / "failed"

    @property
    def event_files(self) -> list[Path]:
        """The event files written so far."""
        return partition_files(self._table)

    @property
    def failed_event_files(self) -> list[Path]:
        """The failed-event files written so far."""
        return sorted(self._failed.glob("*.parquet"))

    @property
    def exchanged(self) -> Path:
        """The new content of a folder that the change replaces; after the exchange, the old one."""
        return self.folder / "exchanged"

    def take(self, new: Path, files: Sequence[DescribedFile], part: Part) -> tuple[StagedFile, ...]:
        """Move the folder `new`, which has `files`, to `exchanged`; return the commit's entries.

        The files replace those of `part`.
        """
        new.rename(self.exchanged)
        staged = []
        for index, file in enumerate(files):
            name = self._name(index)
            path = (self.exchanged / file.path.name).rename(self.exchanged / name)
            staged.append(
                StagedFile(
                    staged=str(path.relative_to(self.folder)),
                    final=f"{part.folder}/{name}",
                    rows=file.rows,
                    earliest_received=file.earliest_received,
                    latest_received=file.latest_received,
                    received_hours=file.received_hours,
                    rows_up_to=part.newest_commit,
                )
            )
        return tuple(staged)

    def describe(self, files: Sequence[DescribedFile]) -> tuple[StagedFile, ...]:
        """Return the commit's entries for those of `files` that have rows."""
        return tuple(
            StagedFile(
                staged=str(file.path.relative_to(self.folder)),
                final=str(self._final(file.path, index).relative_to(self.paths.target.parent)),
                rows=file.rows,
                earliest_received=file.earliest_received,
                latest_received=file.latest_received,
                received_hours=file.received_hours,
            )
            for index, file in enumerate(files)
            if file.rows
        )

    def _name(self, index: int) -> str:
        # With the folder's token: a restored table never gives one name to two contents.
        return f"{self.folder.name}-{index:04d}.parquet"

    def _final(self, path: Path, index: int) -> Path:
        name = self._name(index)
        if path.is_relative_to(self._failed):
            return self.paths.failed / name
        return self.paths.target / path.parent.name / name
