"""Writing a batch's files into its staging folder, and saying what they hold.

The rows of a file are counted from the file itself, not from what was meant to be in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

from pyspark.sql import DataFrame, Observation, Row, SparkSession
from pyspark.sql import functions as F

from events_schema import StoredEvent, column_names
from events_schema.layout import PARTITION_COLUMN, TableLayout
from events_stream.commit import StoredFile
from events_stream.deduplication import mark_duplicates

FILES_PER_DAY = 4
"""At most as many files a batch and day."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Staging:
    """The folder of a batch that is being written, and where its files go once committed."""

    folder: Path
    layout: TableLayout

    @property
    def commit_name(self) -> str:
        """The 12 digits of the commit to be, which make its files' names unique."""
        return self.folder.name

    def write_events(
        self, events: DataFrame, stored_ids: DataFrame | None
    ) -> tuple[tuple[StoredFile, ...], int]:
        """Write the events that are no duplicates, by day; return the files and the duplicates."""
        seen = Observation()
        marked = mark_duplicates(events, stored_ids).observe(
            seen, F.count_if("is_duplicate").alias("duplicates")
        )
        rows = marked.where(~F.col("is_duplicate")).select(
            *column_names(StoredEvent), F.to_date("event_time").alias(PARTITION_COLUMN)
        )
        folder = self.folder / "table"
        rows.coalesce(FILES_PER_DAY).write.partitionBy(PARTITION_COLUMN).parquet(str(folder))
        files = self._describe(folder, self.layout.target, events.sparkSession)
        return files, seen.get["duplicates"]

    def write_failed_events(self, failed: DataFrame) -> tuple[StoredFile, ...]:
        """Write the failed events; return the files."""
        folder = self.folder / "failed"
        failed.coalesce(FILES_PER_DAY).write.parquet(str(folder))
        return self._describe(folder, self.layout.failed, failed.sparkSession)

    def _describe(
        self, folder: Path, destination: Path, spark: SparkSession
    ) -> tuple[StoredFile, ...]:
        written = sorted(folder.rglob("*.parquet"))
        if not written:
            return ()
        rows = spark.read.parquet(*map(str, written))
        found = {_path(row): row for row in _by_file(rows).collect()}
        files = [(path, found[path]) for path in written if path in found]
        return tuple(
            StoredFile(
                staged=str(path.relative_to(self.folder)),
                final=str(
                    destination.relative_to(self.layout.target.parent)
                    / path.parent.relative_to(folder)
                    / f"{self.commit_name}-{index:04d}.parquet"
                ),
                rows=row["rows"],
                earliest_received=as_time(row["earliest"]),
                latest_received=as_time(row["latest"]),
            )
            for index, (path, row) in enumerate(files)
        )


def _by_file(rows: DataFrame) -> DataFrame:
    received = F.unix_micros("received_time") if "received_time" in rows.columns else F.lit(None)
    return rows.groupBy(F.input_file_name().alias("uri")).agg(
        F.count("*").alias("rows"),
        F.min(received).alias("earliest"),
        F.max(received).alias("latest"),
    )


def _path(row: Row) -> Path:
    return Path("/" + unquote(row["uri"]).removeprefix("file:").lstrip("/"))


def as_time(microseconds: int | None) -> datetime | None:
    """Return the UTC time that is `microseconds` after 1970, None for None."""
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
