"""The options of a run: which rows it publishes, in which files, in which order."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import events_analytics
from analytics_support.raw_schema import RAW
from events_analytics import Manifest
from events_analytics.errors import NoData
from events_analytics.job import sink
from events_analytics.job.job import JobOptions
from events_analytics.raw.files import RawFile, RawFiles, list_raw
from events_analytics.raw.source import frequent_actions
from events_analytics.versions.layout import Layout, SortBy
from events_schema import Contract, Event, StoredEvent, UserMetrics, column_names
from events_schema.runtime.errors import SourceMissing, UsageError

CONTRACT = Contract(Event)
T = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAYS = [date(2026, 11, 24) - timedelta(days=number) for number in range(6)]
EVERY = timedelta(minutes=7)


def events(day: date, count: int) -> list[StoredEvent]:
    """Return a day's rows of many users; one user has half of them, and some rows have no user."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return [
        StoredEvent(
            event_time=start + number * EVERY,
            user_id=[0, number, 0, None][number % 4],
            app_name=f"app {number % 3}",
            event_action=[*"abbcdefghijk", None][number % 13],
            event_category="category",
            event_value=number,
            event_id=f"{day} {number}",
            received_time=start,
        )
        for number in range(count)
    ]


ROWS = {day: events(day, 150 + 10 * number) for number, day in enumerate(DAYS)}
HISTORY = [row for rows in ROWS.values() for row in rows]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw table of six days with one file each; later files are smaller."""
    folder = tmp_path_factory.mktemp("table") / "raw"
    for day, rows in ROWS.items():
        path = folder / f"event_date={day}" / "a.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist([row.model_dump() for row in rows], RAW), path)
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The folder for the result, which does not exist yet."""
    return tmp_path / "enriched"


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every number of users too large to send all metrics to each task."""
    monkeypatch.setattr(sink, "_HEAP_BYTES_PER_USER", 2**62)


def run(spark: SparkSession, source: Path, target: Path, **options: Unpack[JobOptions]) -> Manifest:
    """Run the job at `T`."""
    return events_analytics.run(spark, CONTRACT, source, target, T, **options)


def rows_in(target: Path) -> Counter[tuple[object, ...]]:
    """Return the rows of the table."""
    return Counter(tuple(row.values()) for row in pq.read_table(target).to_pylist())


def expected(
    since: date = date.min, window: timedelta = timedelta(hours=3)
) -> Counter[tuple[object, ...]]:
    """Return the rows of the definition, from the day `since` on."""
    return Counter(
        tuple(dict(row).values())
        for row in CONTRACT.enrich(HISTORY, T, window)
        if row.event_time and row.event_time.date() >= since
    )


def ranges(target: Path, column: str) -> list[tuple[object, object]]:
    """Return the smallest and the largest value of a column in each file, without nulls."""
    files = (pq.read_table(path, columns=[column])[column] for path in sorted(target.iterdir()))
    found: list[Any] = [pc.min_max(values).as_py() for values in files]
    return [(each["min"], each["max"]) for each in found]


def test_the_users_layout_has_a_row_for_each_user(
    spark: SparkSession, source: Path, target: Path
) -> None:
    """Each user with an event has exactly one row, even without metrics; nobody else has one."""
    manifest = run(spark, source, target, layout=Layout.USERS)
    users = {
        (row.user_id, row.u_count, row.u_mp_ea)
        for row in CONTRACT.enrich(HISTORY, T)
        if row.user_id is not None
    }
    assert rows_in(target) == Counter(users)
    assert pq.read_table(target).column_names == list(column_names(UserMetrics))
    assert (manifest.rows, manifest.users, manifest.layout) == (len(users), len(users), "users")
    assert any(count is None for _, count, _ in users)


def test_layouts_replace_each_other(spark: SparkSession, source: Path, target: Path) -> None:
    """A target with one layout is replaced by the other layout in one step."""
    run(spark, source, target, layout=Layout.USERS)
    run(spark, source, target)
    assert rows_in(target) == expected()
    run(spark, source, target, layout=Layout.USERS)
    assert pq.read_table(target).column_names == list(column_names(UserMetrics))


@pytest.mark.parametrize("since", [DAYS[2], timedelta(days=2), timedelta(hours=36, minutes=1)])
def test_since_leaves_out_days_but_not_their_events_count(
    spark: SparkSession, source: Path, target: Path, since: date | timedelta
) -> None:
    """Days before `since` are not in the result, but their events count in the metrics."""
    manifest = run(spark, source, target, since=since)
    assert rows_in(target) == expected(DAYS[2])
    assert manifest.since == DAYS[2]
    assert len(manifest.raw_files) == len(DAYS)


def test_since_later_than_all_events_is_refused(
    spark: SparkSession, source: Path, target: Path
) -> None:
    """If no day is left, the run is refused, unless an empty result is allowed."""
    tomorrow = DAYS[0] + timedelta(days=1)
    with pytest.raises(NoData, match=r"of 2026-11-25 or later; wait for events"):
        run(spark, source, target, since=tomorrow)
    assert run(spark, source, target, since=tomorrow, allow_empty=True).rows == 0


def test_since_needs_days(spark: SparkSession, source: Path, tmp_path: Path) -> None:
    """A plain folder of files is refused, because their days are unknown."""
    (tmp_path / "plain").mkdir()
    pq.write_table(pq.read_table(source), tmp_path / "plain" / "a.parquet")
    with pytest.raises(SourceMissing, match=r"a\.parquet outside of a day's folder"):
        run(spark, tmp_path / "plain", tmp_path / "enriched", since=DAYS[0])


@pytest.mark.parametrize("window", [timedelta(minutes=14), timedelta(days=4)])
def test_the_window_can_be_changed(
    spark: SparkSession, source: Path, target: Path, window: timedelta
) -> None:
    """`u_count` counts the given window, and the manifest has it."""
    assert run(spark, source, target, window=window).window == window
    assert rows_in(target) == expected(window=window)


@pytest.mark.parametrize("files", [1, 3, 6, 9])
def test_the_number_of_files_is_as_given(
    spark: SparkSession, source: Path, target: Path, files: int
) -> None:
    """The result has the given number of files, in order of time, even more than the raw table."""
    assert len(run(spark, source, target, files=files).files) == files
    assert rows_in(target) == expected()
    times = ranges(target, "event_time")
    assert all(before[1] < after[0] for before, after in pairwise(times))  # type: ignore[operator]


def test_rows_can_be_sorted_by_user(spark: SparkSession, source: Path, target: Path) -> None:
    """Sorted by user, only the user with half of all rows is in two files."""
    run(spark, source, target, sort_by=SortBy.USER_ID, files=4)
    assert rows_in(target) == expected()
    users = ranges(target, "user_id")
    assert len(users) == 4
    assert all(before[1] <= after[0] for before, after in pairwise(users))  # type: ignore[operator]
    for path in target.iterdir():
        found = pq.read_table(path)["user_id"].drop_null()
        assert found.take(pc.sort_indices(found)).equals(found)


@pytest.mark.usefixtures("little_memory")
def test_more_users_than_memory_can_hold(spark: SparkSession, source: Path, target: Path) -> None:
    """If a task cannot hold all users' metrics, the rows are the same, in order of time."""
    run(spark, source, target, files=3)
    assert rows_in(target) == expected()
    times = ranges(target, "event_time")
    assert all(before[1] <= after[0] for before, after in pairwise(times))  # type: ignore[operator]


def test_users_have_no_days(spark: SparkSession, source: Path, target: Path) -> None:
    """The users' layout is refused with a first day or with another order."""
    for options in (JobOptions(since=DAYS[0]), JobOptions(sort_by=SortBy.USER_ID)):
        options["layout"] = Layout.USERS
        with pytest.raises(UsageError, match="leave out --since and --sort-by"):
            run(spark, source, target, **options)


def test_frequent_actions_come_first(source: Path) -> None:
    """At most eight of the most frequent actions of the largest file are found."""
    found = frequent_actions(list_raw(source, CONTRACT))
    assert found[0] == "b"
    assert len(found) == len(set(found)) == 8


@given(sizes=st.lists(st.integers(0, 10**9), max_size=40), count=st.integers(1, 50))
def test_runs_of_files_keep_their_order(sizes: list[int], count: int) -> None:
    """Split into at most the given number of runs, all files are there in order."""
    files = tuple(RawFile(f"{number}", 1, size) for number, size in enumerate(sizes))
    runs = RawFiles(Path(), files).split(count)
    assert tuple(file for run in runs for file in run.files) == files
    assert len(runs) <= count
    share = -(-sum(sizes) // count)
    assert all(run.bytes <= share + max(file.bytes for file in run.files) for run in runs)
