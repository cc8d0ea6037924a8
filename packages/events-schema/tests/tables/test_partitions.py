"""The raw table's folders and their days."""

from __future__ import annotations

from pathlib import Path

import pytest

from events_schema.tables.partitions import partition_day, partition_files


@pytest.mark.parametrize(
    ("folder", "day"),
    [
        ("event_date=2026-01-31", "2026-01-31"),
        ("event_date=__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__"),
        ("event_date=", ""),
        ("event_date", None),
        ("event_dates=2026-01-31", None),
        ("2026-01-31", None),
        ("raw.failed", None),
        ("", None),
    ],
)
def test_a_partition_has_the_day_of_its_name(folder: str, day: str | None) -> None:
    """A partition's folder has the day in its name; other folders have none."""
    assert partition_day(folder) == day


def test_events_without_a_time_sort_after_every_day() -> None:
    """Hive's default partition sorts last, so neither expiry nor `--since` leaves it out."""
    day = partition_day("event_date=__HIVE_DEFAULT_PARTITION__")
    assert day is not None
    assert day > "9999-12-31"


def test_the_files_of_all_partitions_are_listed_in_order(tmp_path: Path) -> None:
    """Files in other folders and files that are not parquet are left out."""
    days = ("event_date=2026-02-01", "event_date=2026-01-31", "other=2026-01-31")
    for day in days:
        (tmp_path / day).mkdir()
        (tmp_path / day / "0.parquet").touch()
    (tmp_path / "0.parquet").touch()
    (tmp_path / days[0] / "0.json").touch()
    assert partition_files(tmp_path) == [
        tmp_path / "event_date=2026-01-31/0.parquet",
        tmp_path / "event_date=2026-02-01/0.parquet",
    ]
