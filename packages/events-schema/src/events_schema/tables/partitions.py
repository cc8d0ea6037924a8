"""The partitions of the raw table: one folder for each day."""

from __future__ import annotations

from pathlib import Path

PARTITION_COLUMN = "event_date"
"""The raw table's Hive partition: the UTC day of `event_time`."""


def partition_day(folder: str) -> str | None:
    """Return the day, YYYY-MM-DD, in the name of a partition's folder; None for other folders.

    Hive's partition for rows without a time is not a day. Its value,
    `__HIVE_DEFAULT_PARTITION__`, is returned unchanged, and sorts after every day.
    """
    day = folder.removeprefix(f"{PARTITION_COLUMN}=")
    return day if day != folder else None


def partition_files(target: Path) -> list[Path]:
    """Return the parquet files of the raw table at `target`, sorted."""
    return sorted(target.glob(f"{PARTITION_COLUMN}=*/*.parquet"))
