"""A run whose raw files are replaced meanwhile starts over, and publishes a whole table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import events_analytics
from analytics_support.logged_table import LoggedTable
from analytics_support.own_fields import DEFAULT
from events_analytics import Manifest
from events_analytics.job import job as job_module
from events_analytics.raw import files as files_module
from events_analytics.raw import steady
from events_schema import StoredEvent
from events_schema.runtime.errors import TableReplaced

T = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY, BEFORE = "2026-11-24", "2026-11-23"


def events(start: int) -> list[StoredEvent]:
    """Return rows of two days and two users."""
    return [
        StoredEvent(
            event_time=T - timedelta(hours=number),
            user_id=number % 2,
            app_name=None,
            event_action="a",
            event_category=None,
            event_value=number,
            event_id=None,
            received_time=T,
        )
        for number in range(start, start + 20)
    ]


@pytest.fixture
def table(tmp_path: Path) -> LoggedTable:
    """A table with two batches."""
    table = LoggedTable(tmp_path / "raw")
    for start in (0, 20):
        table.store(events(start))
    return table


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once."""
    monkeypatch.setattr(steady, "RETRY_SECONDS", 0)


def run(spark: SparkSession, table: LoggedTable) -> Manifest:
    """Run the job at `T`."""
    target = table.target.with_name("enriched")
    return events_analytics.run(spark, DEFAULT, table.target, target, T)


def values(target: Path) -> Counter[int | None]:
    """Return how often each value is in the result."""
    return Counter(pq.read_table(target.with_name("enriched"))["event_value"].to_pylist())


STEPS = {
    "its footers are read": (files_module, "read_footer"),
    "its actions are counted": (job_module, "frequent_actions"),
    "Spark counts": (job_module, "user_metrics"),
    "Spark writes": (job_module, "write_events"),
}
"""What a run does with the raw files, in order, and the function that does it."""


def change_before(
    step: str, monkeypatch: pytest.MonkeyPatch, change: Callable[[], None], times: int = 1
) -> None:
    """Call `change` before a run's step, the first times that it gets there."""
    module, name = STEPS[step]
    original = getattr(module, name)
    changes = iter(range(times))

    def changed(*arguments: object, **options: object) -> object:
        if next(changes, None) is not None:
            change()
        return original(*arguments, **options)

    monkeypatch.setattr(module, name, changed)


@pytest.mark.parametrize("step", STEPS)
def test_a_day_that_is_exchanged_meanwhile_is_read_once(
    spark: SparkSession,
    table: LoggedTable,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    step: str,
) -> None:
    """The run says so in one line, and the manifest names the files that were read."""
    change_before(step, monkeypatch, lambda: table.compact(BEFORE))
    published = run(spark, table)
    assert values(table.target) == Counter(range(40))
    assert published.raw_commit == 2
    assert len(published.raw_files) == len(table.snapshot.table_files) == 3
    (line,) = [line for line in capfd.readouterr().out.splitlines() if "parquet" in line]
    assert "the table has changed; reading it again" in line


def test_an_erasure_meanwhile_is_in_the_result(
    spark: SparkSession, table: LoggedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that must start over publishes the rows that are left."""
    change_before("Spark writes", monkeypatch, lambda: table.erase(BEFORE, 1))
    run(spark, table)
    assert values(table.target) == Counter([*range(13), *range(14, 37, 2), 37, 38, 39])


def test_a_table_that_changes_all_the_time_is_given_up(
    spark: SparkSession, table: LoggedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error may be gone later, the old result stays, and nothing is left over."""
    first = run(spark, table)
    monkeypatch.setattr(steady, "READ_TRIES", 3)
    change_before("Spark writes", monkeypatch, lambda: table.compact(BEFORE), times=100)
    with pytest.raises(TableReplaced, match="disappeared before it was read, after 2 retries"):
        run(spark, table)
    target = table.target.with_name("enriched")
    assert {file.name for file in first.files} == {path.name for path in target.iterdir()}
    versions = target.with_name("enriched.versions")
    assert {path.name for path in versions.iterdir()} == {"lock", f"{first.version}.json"}
