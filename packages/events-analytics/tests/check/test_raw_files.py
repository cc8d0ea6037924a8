"""`check` finds the rows that a version was made from, however the raw table was changed since."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import events_analytics
from analytics_support.logged_table import LoggedTable
from analytics_support.own_fields import DEFAULT
from events_analytics import Manifest
from events_analytics.check import verification
from events_analytics.check.raw_files import find_raw
from events_analytics.check.recomputation import tally_users
from events_analytics.check.verification import verify
from events_analytics.cli import main
from events_analytics.errors import NotVerified, SourceChanged, SourceRewritten
from events_analytics.job.job import JobOptions
from events_analytics.raw import steady
from events_analytics.raw.files import list_raw
from events_analytics.versions.layout import Layout
from events_schema import StoredEvent
from events_schema.tables.paths import TablePaths

T = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY, BEFORE = "2026-11-24", "2026-11-23"
DAYS, USERS = (TODAY, BEFORE), (1, 2)

Action = Callable[[LoggedTable], None]


def event(day: str, user_id: int, number: int = 0) -> StoredEvent:
    """Return an event of a day; `number` tells events apart."""
    return StoredEvent(
        event_time=datetime.fromisoformat(day).replace(tzinfo=UTC),
        user_id=user_id,
        app_name="app",
        event_action="a",
        event_category="category",
        event_value=number,
        event_id=None,
        received_time=T,
    )


def stored(table: LoggedTable) -> Counter[int | None]:
    """Return how often the table has each number."""
    return numbers(table, table.snapshot.table_files)


def numbers(table: LoggedTable, finals: Iterable[str]) -> Counter[int | None]:
    """Return how often these files have each number."""
    return Counter(row.event_value for row in table.rows_of(finals))


def store(days: list[tuple[str, int]]) -> Action:
    """Return the storing of new events of these days and users."""

    def act(table: LoggedTable) -> None:
        first = 1000 * (table.snapshot.number + 1)
        table.store([event(day, user, first + index) for index, (day, user) in enumerate(days)])

    return act


def compact(day: str) -> Action:
    """Return the compaction of a day."""
    return lambda table: table.compact(day) if table.files(day) else None


def expire(day: str) -> Action:
    """Return the removal of a day."""
    return lambda table: table.expire(day) if table.files(day) else None


def erase(day: str, user: int) -> Action:
    """Return the erasing of a user from a day."""

    def act(table: LoggedTable) -> None:
        users = {row.user_id for row in table.rows(day)}
        if users == {user}:
            table.expire(day)
        elif user in users:
            table.erase(day, user)

    return act


_DAYS, _USERS = st.sampled_from(DAYS), st.sampled_from(USERS)
BATCHES = st.builds(store, st.lists(st.tuples(_DAYS, _USERS), min_size=1, max_size=3))
COMPACTIONS = st.builds(compact, _DAYS)
ACTIONS = BATCHES | COMPACTIONS | st.builds(expire, _DAYS) | st.builds(erase, _DAYS, _USERS)


def manifest_of(table: LoggedTable) -> Manifest:
    """Return the manifest of a version that is made from the table now."""
    raw = list_raw(table.target, DEFAULT)
    return Manifest(
        version="v1",
        created_time=T,
        processing_time=T,
        rows=raw.rows,
        users=0,
        files=(),
        source=str(raw.folder),
        raw_files=raw.manifest,
        raw_commit=raw.commit,
    )


@settings(max_examples=25)
@given(
    first=BATCHES,
    before=st.lists(ACTIONS, max_size=4),
    after=st.lists(BATCHES | COMPACTIONS, max_size=5) | st.lists(ACTIONS, max_size=5),
)
def test_exactly_the_rows_of_the_version_are_found_or_it_says_that_they_cannot_be(
    first: Action, before: list[Action], after: list[Action]
) -> None:
    """They cannot be if some are gone, or were rewritten into a file with later ones."""
    with TemporaryDirectory() as folder:
        table = LoggedTable(Path(folder) / "raw")
        for action in (first, *before):
            action(table)
        manifest, version = manifest_of(table), stored(table)
        mixed = False
        for action in after:
            action(table)
            for final in table.snapshot.table_files:
                rows = numbers(table, [final])
                mixed = mixed or bool(rows & version and rows - version)
        try:
            found = find_raw(None, manifest, DEFAULT)
        except SourceRewritten:
            assert mixed or version - stored(table)
        else:
            assert numbers(table, [f"raw/{file.name}" for file in found.files]) == version
            assert not mixed


@pytest.fixture
def table(tmp_path: Path) -> LoggedTable:
    """A table with two batches of two days and two users."""
    table = LoggedTable(tmp_path / "raw")
    for _ in range(2):
        store([(day, user) for day in DAYS for user in USERS])(table)
    return table


LATE = store([(BEFORE, 1)])


@pytest.mark.parametrize(
    ("actions", "days"),
    [
        ([LATE, compact(BEFORE)], BEFORE),
        ([erase(BEFORE, 1)], BEFORE),
        ([expire(BEFORE)], BEFORE),
        ([erase(TODAY, 1), erase(BEFORE, 1)], f"{BEFORE}, {TODAY}"),
    ],
)
def test_the_error_names_version_and_day(
    table: LoggedTable, actions: list[Action], days: str
) -> None:
    """It is one line that says what to do."""
    manifest = manifest_of(table)
    for action in actions:
        action(table)
    with pytest.raises(SourceRewritten) as refused:
        find_raw(None, manifest, DEFAULT)
    assert str(refused.value) == (
        f"source {table.target} no longer has exactly the rows that version v1 was made from: "
        f"those of {days} were expired or erased, or compacted together with later ones; publish "
        f"again with events-analytics run"
    )


def test_a_manifest_of_an_older_release_is_compared_by_names(table: LoggedTable) -> None:
    """It names no commit, so not even its rows in a compacted day are found."""
    old = Manifest.model_validate_json(manifest_of(table).model_dump_json(exclude={"raw_commit"}))
    LATE(table)
    assert find_raw(None, old, DEFAULT).manifest == old.raw_files
    table.compact(BEFORE)
    with pytest.raises(SourceRewritten, match=f"those of {BEFORE} were"):
        find_raw(None, old, DEFAULT)


def test_an_older_copy_of_the_table_is_told_apart(table: LoggedTable, tmp_path: Path) -> None:
    """The rows are missing because the table was restored, not because it was rewritten."""
    shutil.copytree(tmp_path, tmp_path / "copy")
    LATE(table)
    with pytest.raises(SourceChanged, match=r"ends with commit 1, .* from commit 2, so it is an"):
        find_raw(str(tmp_path / "copy" / "raw"), manifest_of(table), DEFAULT)


def test_a_copy_without_its_log_is_compared_by_names(table: LoggedTable) -> None:
    """The manifest names the files; a missing one is named."""
    manifest = manifest_of(table)
    shutil.rmtree(TablePaths(table.target).control)
    assert find_raw(None, manifest, DEFAULT).manifest == manifest.raw_files
    gone = table.target / manifest.raw_files[0].name
    gone.unlink()
    with pytest.raises(SourceChanged, match=f"raw file {gone}, from which"):
        find_raw(None, manifest, DEFAULT)


VARIANTS: dict[str, JobOptions] = {
    "users": {"files": 1, "layout": Layout.USERS},
    "since": {"files": 1, "since": date(2026, 11, 24)},
}
"""The published tables by name, with the options of their runs."""


@pytest.fixture(scope="module")
def published(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a raw table and its results."""
    folder = tmp_path_factory.mktemp("published")
    table = LoggedTable(folder / "raw")
    for _ in range(2):
        store([(day, user) for day in DAYS for user in USERS])(table)
    for name, options in VARIANTS.items():
        events_analytics.run(spark, DEFAULT, table.target, folder / name, T, **options)
    return folder


@pytest.fixture
def tables(published: Path, tmp_path: Path) -> Path:
    """A copy of the tables for one test."""
    return Path(shutil.copytree(published, tmp_path / "tables"))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("users", "2 rows of 2 raw files, 3 columns"),
        ("since", "4 rows of 1 raw files since 2026-11-24, 8 columns"),
    ],
)
def test_a_version_from_before_a_compaction_is_verified(tables: Path, name: str, rows: str) -> None:
    """Events that come later do not matter."""
    table = LoggedTable(tables / "raw")
    for day in DAYS:
        table.compact(day)
    LATE(table)
    said = str(verify(str(tables / name), DEFAULT, str(table.target)))
    assert said == f"verified: {rows}, metrics of 2 users recomputed"


def test_other_rows_after_a_compaction_are_found(tables: Path) -> None:
    """As many rows with other values are not the rows of the version."""
    table = LoggedTable(tables / "raw")
    rows = table.rows(TODAY)
    other = rows[0].model_copy(update={"user_id": 2})
    table.rewrite(TODAY, [other, *rows[1:]])
    with pytest.raises(NotVerified, match="user 1 has 2 rows; the raw files have 1"):
        verify(str(tables / "since"), DEFAULT, str(table.target))


def test_the_command_has_an_exit_code_for_a_version_from_before_an_erasure(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with 6 and one line before Spark starts."""
    table = LoggedTable(tables / "raw")
    table.erase(TODAY, 1)
    arguments = ["--target", str(tables / "since"), "--source", str(table.target)]
    assert main(["check", *arguments]) == 6
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "expired or erased" in err


def test_a_day_that_is_exchanged_while_it_is_verified_is_read_again(
    tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is compared with the new files of the day."""
    table = LoggedTable(tables / "raw")
    monkeypatch.setattr(steady, "RETRY_SECONDS", 0)

    def exchanged(*arguments: Any) -> None:
        monkeypatch.setattr(verification, "tally_users", tally_users)
        table.compact(BEFORE)
        tally_users(*arguments)

    monkeypatch.setattr(verification, "tally_users", exchanged)
    said = str(verify(str(tables / "users"), DEFAULT, str(table.target)))
    assert said.startswith("verified: 2 rows of 3 raw files")
