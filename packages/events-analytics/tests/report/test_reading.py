"""The report's figures equal those that plain Python counts, whatever the tables contain."""

import itertools
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_support.own_fields import AWKWARD, DEFAULT, SHOP, rows_of, write_raw
from analytics_support.report_tables import (
    DAY,
    ENRICHED,
    FAILED,
    USERS,
    expected_activity,
    expected_categories,
    expected_delay,
    expected_own_field,
    expected_products,
    report_on,
    write,
)
from events_analytics.errors import ColumnsMissing, Interrupted, Terminated, UnreadableFile
from events_analytics.report import Report, Scope, render_page
from events_analytics.report.bins import MOST_BINS, bin_size, fill_bins
from events_analytics.report.figures.activity import activity_bands
from events_analytics.report.figures.delay import delay_of
from events_analytics.report.figures.rankings import ACTIONS
from events_analytics.report.tables import FailedRow, enriched_files
from events_analytics.session.signals import interruptible
from events_analytics.versions.manifest import Manifest
from events_analytics.versions.names import file_name, new_version
from events_schema import ColumnType, Contract, EnrichedEvent, Event, FailureReason, StoredEvent
from events_schema.runtime import database as database_module
from events_schema.runtime.database import Database, open_database, read_steadily
from events_schema.runtime.errors import DatabaseFailed, TableReplaced
from events_schema.runtime.files import exchange
from events_schema.tables.views import view_files
from events_schema.testing import contracts, repetitive_tables, times

CONTRACT = Contract(Event)
T = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOP = 3
ALL = Scope(T, since=None, top=TOP)
MICROSECOND = timedelta(microseconds=1)


def event(time: datetime | None = T, **other: object) -> StoredEvent:
    """Return a row with this time, received a second later."""
    row = StoredEvent(
        event_time=time,
        user_id=1,
        app_name="shop",
        event_action="view",
        event_category="page",
        event_value=5,
        event_id="id",
        received_time=time and time + timedelta(seconds=1),
    )
    return row.model_copy(update=other)


def report(rows: Sequence[StoredEvent], scope: Scope = ALL) -> Report:
    """Return the report on a raw table with these rows in two files."""
    with TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        write(raw / DAY / "a.parquet", rows[::2])
        write(raw / "event_date=__HIVE_DEFAULT_PARTITION__" / "b.parquet", rows[1::2])
        return report_on(Path(folder), scope)


@settings(max_examples=15)
@given(rows=repetitive_tables(CONTRACT, T))
def test_figures_match_the_rows(rows: list[StoredEvent]) -> None:
    """Each figure equals the count in plain Python, also with nulls."""
    found = report(rows)
    assert found.products.model_dump() == expected_products(rows, TOP)
    assert found.categories.model_dump() == expected_categories(rows, TOP, ACTIONS)
    assert found.quality.delay.model_dump() == expected_delay(rows)
    activity = found.activity.model_dump()
    activity["bands"] = {band.least: band.users for band in found.activity.bands if band.users}
    assert activity == expected_activity(rows, TOP)
    assert {each.column: each.events for each in found.quality.nulls} == {
        name: sum(getattr(row, name) is None for row in rows) for name in StoredEvent.model_fields
    }


@settings(max_examples=15)
@given(data=st.data())
def test_own_fields_are_counted_like_others(data: st.DataObject) -> None:
    """Own texts are ranked and nulls of own columns counted, even if old files lack them."""
    contract = data.draw(contracts(max_fields=6))
    old = data.draw(repetitive_tables(DEFAULT, T))
    new = [  # their texts come again, as product names do
        row.model_copy(update=dict.fromkeys(texts_of(contract), row.app_name))
        for row in data.draw(repetitive_tables(contract, T))
    ]
    rows = [*rows_of(contract, old), *new]
    with TemporaryDirectory() as folder:
        write_raw(Path(folder) / "raw" / DAY / "a.parquet", DEFAULT, old)
        write_raw(Path(folder) / "raw" / DAY / "b.parquet", contract, new)
        found = report_on(Path(folder), ALL, contract)
    assert [each.model_dump() for each in found.own_fields] == [
        expected_own_field(rows, name, TOP) for name in texts_of(contract)
    ]
    assert {each.column: each.events for each in found.quality.nulls} == {
        name: sum(getattr(row, name) is None for row in rows)
        for name in contract.stored.model_fields
    }
    assert found.products.model_dump() == expected_products(rows, TOP)


def texts_of(contract: Contract[Any]) -> list[str]:
    """Return the names of a contract's own text fields."""
    return [each.name for each in contract.own_columns if each.type is ColumnType.STRING]


def test_own_fields_may_have_names_that_the_queries_use(tmp_path: Path) -> None:
    """An own field may have any name that the report's queries use for something else."""
    names = list(AWKWARD.own_types)
    rows = [
        row.model_copy(update={name: f"{name} {number}" for name in names})
        for number, row in enumerate(rows_of(AWKWARD, [event()] * 3))
    ]
    write_raw(tmp_path / "raw" / DAY / "a.parquet", AWKWARD, rows)
    found = report_on(tmp_path, Scope(T, date(2026, 11, 24), TOP), AWKWARD)
    assert [each.model_dump() for each in found.own_fields] == [
        expected_own_field(rows, name, TOP) for name in names
    ]
    assert found.products.model_dump() == expected_products(rows, TOP)
    assert found.categories.model_dump() == expected_categories(rows, TOP, ACTIONS)


def test_own_fields_without_events_are_there(tmp_path: Path) -> None:
    """The report on an empty raw table lists each own text field, without values."""
    (tmp_path / "raw").mkdir()
    plan, coupon = report_on(tmp_path, ALL, SHOP).own_fields
    assert (plan.field, plan.names, plan.rows, plan.rest) == ("plan", 0, (), None)
    assert coupon.field == "coupon"
    assert report_on(tmp_path, ALL).own_fields == ()


def test_percentiles_are_by_nearest_rank() -> None:
    """Of a hundred different delays, the 50th is the median, and 5 exceed the 95th percentile."""
    counts: dict[int | None, int] = dict.fromkeys(range(100), 1)
    delay = delay_of(counts | {-1: 7, None: 9})
    assert (delay.median_ms, delay.p95_ms, delay.longest_ms) == (49, 94, 99)
    assert (delay.before, delay.unknown) == (7, 9)


@settings(max_examples=15)
@given(rows=repetitive_tables(CONTRACT, T))
def test_each_event_is_in_its_bin(rows: list[StoredEvent]) -> None:
    """A bin has the events up to the next one's start; events without a usable time are in none."""
    found = report(rows)
    known = sorted(row.event_time for row in rows if row.event_time and row.event_time <= T)
    times_ = [row.event_time for row in rows if row.event_time]
    assert found.events == len(rows)
    assert found.first_event_time == min(times_, default=None)
    assert found.quality.later == len(times_) - len(known)
    assert (found.over_time is None) == (not known)
    newest = found.quality.newest_event
    assert (newest.time if newest else None) == max(known, default=None)
    bins = found.over_time.bins if found.over_time else ()
    for each, later in itertools.pairwise(bins):
        assert each.events == sum(each.start <= time < later.start for time in known)
    assert not bins or bins[-1].events == sum(bins[-1].start <= time for time in known)
    assert sum(each.events for each in bins) == len(known)


@settings(max_examples=300)
@given(span=st.tuples(times(), times()).map(sorted))
def test_any_span_gives_few_bins_without_gaps(span: list[datetime]) -> None:
    """For spans from a microsecond to 8,000 years, there are few bins, and they cover both ends."""
    first, last = span
    size = bin_size(first, last)
    stretches = [(each - datetime(1970, 1, 1, tzinfo=UTC)) // size.counted_by for each in span]
    bins = fill_bins(size, first, last, [(stretch, 1) for stretch in stretches])
    starts = [start for start, _ in bins]
    assert len(bins) <= MOST_BINS
    assert starts == sorted(set(starts))
    assert starts[0] <= first
    assert starts[-1] <= last
    assert (bins[0][1], bins[-1][1]) == ((2, 2) if len(bins) == 1 else (1, 1))
    assert all(size.start(start) == start for start in starts)
    assert all(
        size.start(later - MICROSECOND) == start for start, later in itertools.pairwise(starts)
    )


@pytest.mark.parametrize(
    ("span", "size"),
    [
        (timedelta(minutes=100), "minute"),
        (timedelta(days=4), "hour"),
        (timedelta(days=30), "day"),
        (timedelta(days=730), "week"),
        (timedelta(days=3000), "month"),
        (timedelta(days=20_000), "year"),
    ],
)
def test_bins_are_as_fine_as_people_expect(span: timedelta, size: str) -> None:
    """Months are shown by day, two years by week, and so on."""
    assert bin_size(T - span, T) == size


@settings(max_examples=100)
@given(users=st.dictionaries(st.integers(1, 10**9), st.integers(1, 10**6)))
def test_bands_hold_every_user(users: dict[int, int]) -> None:
    """Bands follow each other from the first user's to the last one's, and include every user."""
    bands = activity_bands(users)
    assert sum(band.users for band in bands) == sum(users.values())
    assert sum(band.events for band in bands) == sum(
        events * count for events, count in users.items()
    )
    assert all(band.most + 1 == later.least for band, later in itertools.pairwise(bands))
    assert all(bands[end].users for end in (0, -1) if bands)
    assert {str(band.least).rstrip("0") for band in bands} <= {"1", "2", "5"}


def test_days_limit_what_is_counted_and_read(tmp_path: Path) -> None:
    """With a first day, the chart starts there, and files of earlier days are not opened."""
    day = T - timedelta(hours=12)
    write(tmp_path / "raw" / DAY / "a.parquet", [event(day), event(T), event(day - MICROSECOND)])
    old = tmp_path / "raw" / "event_date=2026-11-22" / "b.parquet"
    old.parent.mkdir()
    old.write_bytes(b"no parquet")
    failed = [FailedRow(reason="empty", timestamp=time) for time in (day, day - MICROSECOND)]
    write(tmp_path / "raw.failed" / "c.parquet", failed, FAILED)
    found = report_on(tmp_path, Scope(T, date(2026, 11, 24), TOP))
    assert found.events == 2
    assert found.over_time
    assert found.over_time.bins[0].start == day
    assert found.quality.failed
    assert found.quality.failed.events == 1
    with pytest.raises(UnreadableFile, match=r"b\.parquet is not a complete parquet file"):
        report_on(tmp_path, ALL)


@settings(max_examples=10)
@given(reasons=st.lists(st.none() | st.sampled_from([*FailureReason, "other"])))
def test_failed_events_are_counted_by_reason(reasons: list[str | None]) -> None:
    """Reasons are in order, with the newest time, and those below the top are summed."""
    rows = [
        FailedRow(reason=reason, timestamp=T - timedelta(hours=hour))
        for hour, reason in enumerate(reasons)
    ]
    with TemporaryDirectory() as folder:
        (Path(folder) / "raw").mkdir()
        write(Path(folder) / "raw.failed" / "a.parquet", rows, FAILED)
        failed = report_on(Path(folder), ALL).quality.failed
    assert failed
    assert failed.events == len(reasons)
    counts = Counter(reasons)
    assert [each.events for each in failed.reasons] == sorted(counts.values(), reverse=True)[:TOP]
    for each in failed.reasons:
        assert each.events == counts[each.reason]
        assert each.newest == T - timedelta(hours=reasons.index(each.reason))
    left = failed.rest.events if failed.rest else 0
    assert failed.events == left + sum(each.events for each in failed.reasons)


@settings(max_examples=10)
@given(rows=repetitive_tables(CONTRACT, T))
def test_both_layouts_of_the_enriched_table_give_the_same_figures(rows: list[StoredEvent]) -> None:
    """With one row per event or per user, the figures equal the definition's."""
    enriched = CONTRACT.enrich(rows, T)
    users = {row.user_id: row for row in enriched if row.user_id is not None}
    version = new_version(T)
    found = []
    with TemporaryDirectory() as folder:
        (Path(folder) / "raw").mkdir()
        manifest = Path(folder) / "enriched.versions" / f"{version}.json"
        manifest.parent.mkdir()
        manifest.write_bytes(
            Manifest(
                version=version,
                created_time=T,
                processing_time=T,
                rows=0,
                users=0,
                files=(),
                source="raw",
                raw_files=(),
            ).to_json()
        )
        path = Path(folder) / "enriched" / file_name(version, 0)
        for table, schema in ((enriched, ENRICHED), (users.values(), USERS)):
            write(path, table, schema)
            found.append(report_on(Path(folder), ALL).enriched)
    by_event, by_user = found
    assert by_event
    assert by_user
    assert (by_event.layout, by_event.rows) == ("events", len(rows))
    assert by_user == by_event.model_copy(update={"layout": "users", "rows": len(users)})
    assert (by_user.users, by_user.processing_time) == (len(users), T)
    counts = {user: row.u_count for user, row in users.items() if row.u_count}
    assert (by_user.active_users, by_user.active_events) == (len(counts), sum(counts.values()))
    for each in by_user.most_active:
        assert (each.u_count, each.u_mp_ea) == (counts[each.user_id], users[each.user_id].u_mp_ea)
    favourites = Counter(row.u_mp_ea for row in users.values())
    for one in by_user.favourites:
        assert one.users == favourites[one.action]
    assert sum(favourites.values()) == sum(one.users for one in by_user.favourites) + (
        by_user.rest.users if by_user.rest else 0
    )


@pytest.mark.parametrize(
    "nothing", [[], [event(None, received_time=None)], [event(T + MICROSECOND)]]
)
def test_a_table_with_few_data_has_a_report(nothing: list[StoredEvent]) -> None:
    """Without rows, without times or with only later times, the report has no bins."""
    found = report(nothing)
    assert found.over_time is None
    assert found.events == len(nothing)
    assert "<!doctype html>" in render_page(found)


def test_a_raw_table_without_files_has_a_report(tmp_path: Path) -> None:
    """A folder without files gives zeros, and the other tables are null."""
    (tmp_path / "raw").mkdir()
    found = report_on(tmp_path, ALL)
    assert (found.events, found.activity.users, found.products.rows) == (0, 0, ())
    assert (found.enriched, found.quality.failed) == (None, None)
    assert "There is no enriched table yet" in render_page(found)


def test_an_enriched_folder_without_files_is_not_a_table_yet(tmp_path: Path) -> None:
    """If nothing was published yet, the report has no enriched table."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "enriched").mkdir()
    assert report_on(tmp_path, ALL).enriched is None


def test_folders_may_be_named_like_patterns(tmp_path: Path) -> None:
    """Characters that DuckDB takes for patterns are allowed in names."""
    folder = tmp_path / "we[ir]d*?" / "a{b}"
    write(folder / "raw" / DAY / "a.parquet", [event()])
    write(tmp_path / "weid*?" / "a{b}" / "raw" / DAY / "a.parquet", [event()] * 3)
    assert report_on(folder, ALL).events == 1


def test_files_without_the_columns_are_refused(tmp_path: Path) -> None:
    """The error names the file and the columns that it lacks."""
    write(tmp_path / "raw" / DAY / "a.parquet", [event()])
    write(tmp_path / "enriched" / "a.parquet", [event()])
    with pytest.raises(ColumnsMissing, match=r"a\.parquet lacks u_count: Int64, u_mp_ea: Text"):
        report_on(tmp_path, ALL)


def test_a_damaged_file_gives_a_one_line_error(tmp_path: Path) -> None:
    """A file with a valid footer and damaged pages ends the report with one line."""
    path = write(tmp_path / "raw" / DAY / "a.parquet", [event()] * 100)
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56
    path.write_bytes(content)
    with pytest.raises(DatabaseFailed, match="DuckDB cannot read the tables") as raised:
        report_on(tmp_path, ALL)
    assert "\n" not in str(raised.value)


def test_a_table_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    """If files vanish between listing and reading, the new version is read."""
    table, new = tmp_path / "enriched", tmp_path / "new"
    write(table / "v1.parquet", CONTRACT.enrich([event()] * 2, T), ENRICHED)
    write(new / "v2.parquet", CONTRACT.enrich([event()] * 3, T), ENRICHED)

    def count(database: Database, files: Sequence[Path]) -> int:
        if new.exists():
            exchange(table, new)
            shutil.rmtree(new)
        view_files(database, "enriched", files, EnrichedEvent)
        (rows,) = database.one("SELECT count(*) FROM enriched")
        return int(rows)

    assert read_steadily(lambda: enriched_files(table), count) == 3


def test_a_table_that_changes_all_the_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few tries, the error names a file that vanished, and is retriable."""
    monkeypatch.setattr(database_module, "RETRY_SECONDS", 0)
    tries = []

    def count(database: Database, files: Sequence[Path]) -> None:
        tries.append(files)
        files[0].unlink()
        view_files(database, "stored", files, StoredEvent)

    with pytest.raises(TableReplaced, match=r"a\.parquet disappeared") as raised:
        read_steadily(lambda: [write(tmp_path / "a.parquet", [event()])], count)
    assert raised.value.retriable
    assert len(tries) == database_module.READ_TRIES


def test_memory_is_bounded_and_the_disk_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB spills to a temporary folder beyond the limit, and the folder is deleted."""
    monkeypatch.setattr(database_module, "MEMORY", "40MB")
    with open_database() as database:
        database.ask("SET threads = 2")  # each thread needs some memory
        database.ask("CREATE TEMP TABLE large AS SELECT uuid() AS id FROM range(4000000)")
        assert database.one("SELECT count(*) FROM large") == (4_000_000,)
        (spilt,) = database.one("SELECT sum(size) FROM duckdb_temporary_files()")
        (folder,) = database.one("SELECT current_setting('temp_directory')")
        assert spilt
        assert Path(folder).is_dir()
    assert not Path(folder).exists()


def test_too_little_memory_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk does not help either, one line says the limit and what to do."""
    monkeypatch.setattr(database_module, "MEMORY", "40MB")
    with pytest.raises(DatabaseFailed, match=r"more than 40MB .* set TMPDIR"):
        read_steadily(
            list, lambda database, _: database.ask("SELECT list(i) FROM range(9000000) t(i)")
        )


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated)]
)
def test_a_signal_ends_a_query(number: signal.Signals, error: type[Interrupted]) -> None:
    """A signal ends a running query with the signal's error."""
    alarm = threading.Timer(0.2, os.kill, (os.getpid(), number))

    def query() -> None:
        with interruptible(), open_database() as database:
            alarm.start()
            database.ask("SELECT sum(i * i) FROM range(1000000000000) t(i)")

    with pytest.raises(error):
        query()
    alarm.join()
