"""The partitions of the raw table: a folder for each day."""

from __future__ import annotations

from pathlib import Path

PARTITION_COLUMN = "event_date"
"""The raw table's Hive partition: the UTC day of `event_time`."""


def partition_files(target: Path) -> list[Path]:
    """Return the parquet files of the raw table at `target`, sorted."""
    return sorted(target.glob(f"{PARTITION_COLUMN}=*/*.parquet"))
