"""`check` finds whatever is wrong with a published table."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import events_analytics
from analytics_support.raw_schema import RAW
from events_analytics import Manifest
from events_analytics.check import verification
from events_analytics.check.recomputation import CountedTimes, choose_users, recompute, tally_users
from events_analytics.check.verification import verify
from events_analytics.cli import main
from events_analytics.errors import (
    ColumnsMissing,
    ManifestMissing,
    NoData,
    NotVerified,
    SourceChanged,
    UnreadableFile,
)
from events_analytics.job.job import JobOptions
from events_analytics.raw import steady
from events_analytics.raw.footer import Footer, read_footer
from events_analytics.versions.layout import Layout
from events_analytics.versions.publish import open_versions
from events_schema import Contract, Event, EventsError, StoredEvent
from events_schema.runtime.database import Database, open_database
from events_schema.runtime.errors import SourceMissing, TableReplaced
from events_schema.runtime.files import exchange
from events_schema.tables.paths import TablePaths
from events_schema.testing import raw_tables

CONTRACT = Contract(Event)
T = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY, BEFORE = "event_date=2026-11-24", "event_date=2026-11-20"
LAST, ASTRAL = "\uffff", "😀"
"""The last one is first by code point, but second in UTF-16, which Java compares."""

Row = dict[str, Any]


def event(user_id: int | None, action: str | None, ago: timedelta = timedelta(0)) -> StoredEvent:
    """Return an event at this time before `T`."""
    return StoredEvent(
        event_time=T - ago,
        user_id=user_id,
        app_name="app",
        event_action=action,
        event_category="category",
        event_value=None,
        event_id=None,
        received_time=T,
    )


HOUR, DAYS = timedelta(hours=1), timedelta(days=4)
NEW = (
    event(1, LAST, HOUR),
    event(1, ASTRAL, 2 * HOUR),
    event(2, "a", 3 * HOUR),
    event(2, "a", 5 * HOUR),
    event(3, None, 5 * HOUR),
    event(None, "a", HOUR),
)
OLD = (event(1, None, DAYS), event(2, "b", DAYS), event(4, "b", DAYS), event(None, None, DAYS))


def write(path: Path, rows: Sequence[StoredEvent]) -> Path:
    """Write `rows` as the raw table's file at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([row.model_dump() for row in rows], schema=RAW), path)
    return path


VARIANTS: dict[str, JobOptions] = {
    "events": {"files": 1},
    "users": {"files": 1, "layout": Layout.USERS, "window": 6 * HOUR},
    "since": {"files": 1, "since": date(2026, 11, 24), "window": HOUR / 2},
}
"""The published tables by name, with the options of their runs."""


@pytest.fixture(scope="module")
def published(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a raw table and its results; the table of events is there twice."""
    folder = tmp_path_factory.mktemp("published")
    write(folder / "raw" / TODAY / "a.parquet", NEW)
    write(folder / "raw" / BEFORE / "b.parquet", OLD)
    for name, options in [("events", VARIANTS["events"]), *VARIANTS.items()]:
        events_analytics.run(spark, CONTRACT, folder / "raw", folder / name, T, **options)
    return folder


@dataclass(frozen=True)
class Tables:
    """A copy of the tables that tests damage."""

    folder: Path

    @property
    def raw(self) -> Path:
        """The raw table."""
        return self.folder / "raw"

    def file(self, name: str) -> Path:
        """Return the only file of the table `name`."""
        (path,) = (self.folder / name).iterdir()
        return path

    def manifest(self, name: str) -> Path:
        """Return the manifest of the table `name`."""
        return self.folder / f"{name}.versions" / f"{self.file(name).stem[:-6]}.json"

    def rewrite(self, name: str, change: Callable[[list[Row]], list[Row]]) -> None:
        """Change the rows of the table `name`."""
        path = self.file(name)
        table = pq.read_table(path)
        pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), table.schema), path)

    def claim(self, name: str) -> None:
        """Change the manifest to match the table's current file."""
        manifest = Manifest.model_validate_json(self.manifest(name).read_bytes())
        rows = read_footer(self.file(name)).rows
        files = (manifest.files[0].model_copy(update={"rows": rows}),)
        changed = manifest.model_copy(update={"files": files, "rows": rows})
        self.manifest(name).write_bytes(changed.to_json())

    def verify(self, name: str, sample: int = 100) -> str:
        """Verify the table `name`."""
        return str(verify(str(self.folder / name), CONTRACT, str(self.raw), sample))

    def refused(self, name: str, error: type[EventsError] = NotVerified) -> str:
        """Verify the table `name`; return the one-line error."""
        with pytest.raises(error) as raised:
            self.verify(name)
        assert "\n" not in str(raised.value)
        return str(raised.value)


@pytest.fixture
def tables(published: Path, tmp_path: Path) -> Tables:
    """A copy of the tables for one test."""
    return Tables(Path(shutil.copytree(published, tmp_path / "tables")))


@pytest.mark.parametrize(
    ("name", "rows", "users"),
    [
        ("events", "10 rows of 2 raw files, 8 columns", 4),
        ("users", "4 rows of 2 raw files, 3 columns", 4),
        ("since", "6 rows of 1 raw files since 2026-11-24, 8 columns", 3),
    ],
)
def test_a_good_table_is_verified(published: Path, name: str, rows: str, users: int) -> None:
    """Both layouts and a table with some days are verified with the manifest's raw files."""
    for sample, recomputed in ((100, users), (2, 2), (0, 0)):
        verified = verify(str(published / name), CONTRACT, sample=sample)
        assert str(verified) == f"verified: {rows}, metrics of {recomputed} users recomputed"


def test_an_empty_table_is_verified(spark: SparkSession, tmp_path: Path) -> None:
    """A table made from no raw files is correct without rows."""
    (tmp_path / "raw").mkdir()
    for name in ("events", "users"):
        options: JobOptions = {"layout": Layout(name), "allow_empty": True}
        events_analytics.run(spark, CONTRACT, tmp_path / "raw", tmp_path / name, T, **options)
        assert "verified: 0 rows of 0 raw files" in str(verify(str(tmp_path / name), CONTRACT))


def files_of(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Return everything below a folder, and when it was written."""
    return {
        path: (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def test_verifying_changes_nothing_and_does_not_wait(tables: Tables) -> None:
    """It works while a run has the lock, and does not change any file or folder."""
    before = files_of(tables.folder)
    tables.verify("users")
    assert files_of(tables.folder) == before
    with open_versions(TablePaths(tables.folder / "events")):
        tables.verify("events")


def without_one(rows: list[Row], user_id: int | None = 2) -> list[Row]:
    """Remove one row of the user."""
    index = next(number for number, row in enumerate(rows) if row["user_id"] == user_id)
    return rows[:index] + rows[index + 1 :]


def with_one_more(rows: list[Row], user_id: int | None = 2) -> list[Row]:
    """Double one row of the user."""
    return [*rows, next(row for row in rows if row["user_id"] == user_id)]


def moved(rows: list[Row]) -> list[Row]:
    """Remove a row of one user, and double one of another."""
    return with_one_more(without_one(rows, user_id=1), user_id=2)


def orphaned(rows: list[Row]) -> list[Row]:
    """Remove a row of a user, and double one without a user."""
    return with_one_more(without_one(rows, user_id=1), user_id=None)


@pytest.mark.parametrize("change", [without_one, with_one_more])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_missing_or_additional_row_is_found(
    tables: Tables, name: str, change: Callable[[list[Row]], list[Row]]
) -> None:
    """The manifest shows it, or the raw files if the manifest was changed as well."""
    right = read_footer(tables.file(name)).rows
    wrong = right + (1 if change is with_one_more else -1)
    tables.rewrite(name, change)
    said = tables.refused(name)
    assert tables.file(name).name in said
    assert f"has {wrong} rows; its manifest says {right};" in said
    tables.claim(name)
    said = tables.refused(name)
    by_layout = {"users": f"{wrong} rows belong to {min(wrong, right)} users; expected"}
    assert by_layout.get(name, f"{wrong} rows; its raw files have {right}") in said


def test_a_row_of_another_user_is_found(tables: Tables) -> None:
    """The right number of rows, with one of them instead of another, is refused."""
    tables.rewrite("events", moved)
    said = tables.refused("events")
    assert "user 1 has 2 rows; the raw files have 3" in said
    assert "user 2 has 4 rows; the raw files have 3" in said


def test_a_user_with_two_rows_is_found(tables: Tables) -> None:
    """In the table of users, a row of one user instead of another's is refused."""
    tables.rewrite("users", moved)
    said = tables.refused("users")
    assert "4 rows belong to 3 users; expected one row for each of the 4 users" in said


def test_a_row_that_lost_its_user_is_found(tables: Tables) -> None:
    """Rows without a user are counted whatever users are recomputed."""
    tables.rewrite("events", orphaned)
    with pytest.raises(NotVerified, match="3 rows have no user_id; expected 2"):
        tables.verify("events", sample=0)


def changing(user_id: int | None, **values: object) -> Callable[[list[Row]], list[Row]]:
    """Return a function that sets values in the first row of the user."""

    def change(rows: list[Row]) -> list[Row]:
        (first, *_) = [row for row in rows if row["user_id"] == user_id]
        return [{**row, **values} if row is first else row for row in rows]

    return change


@pytest.mark.parametrize(
    ("name", "user_id", "values", "said"),
    [
        (
            "events",
            1,
            {"u_count": 3},
            "u_count 3, u_mp_ea '\\uffff'; expected u_count 2, u_mp_ea",
        ),
        (
            "events",
            2,
            {"u_count": None},
            "user 2 has u_count null, u_mp_ea 'a'; expected",
        ),
        ("users", 2, {"u_count": 1}, "user 2 has u_count 1, u_mp_ea 'a'; expected u_count 2"),
        ("since", 1, {"u_count": 2}, "expected u_count null, u_mp_ea '\\uffff'"),
        ("events", 1, {"u_mp_ea": ASTRAL}, f"user 1 has u_count 2, u_mp_ea '{ASTRAL}'; expected"),
        ("users", 1, {"u_mp_ea": ASTRAL}, f"user 1 has u_count 2, u_mp_ea '{ASTRAL}'; expected"),
        ("users", 4, {"u_mp_ea": None}, "user 4 has u_count null, u_mp_ea null; expected"),
        ("users", 3, {"u_mp_ea": "a"}, "expected u_count 1, u_mp_ea null"),
        ("events", None, {"u_count": 1}, "without user_id, 1 and 0 have u_count and u_mp_ea"),
        ("since", None, {"u_mp_ea": "a"}, "without user_id, 0 and 1 have u_count and u_mp_ea"),
    ],
)
def test_a_wrong_metric_is_found(
    tables: Tables, name: str, user_id: int | None, values: Row, said: str
) -> None:
    """The error has the wrong metric of a row, and the expected one."""
    tables.rewrite(name, changing(user_id, **values))
    assert said in tables.refused(name)


@pytest.mark.parametrize("name", VARIANTS)
def test_other_columns_are_found(tables: Tables, name: str) -> None:
    """Columns in another order or with other types are refused."""
    path = tables.file(name)
    table = pq.read_table(path)
    columns = table.column_names
    pq.write_table(table.select([*columns[:-2], columns[-1], columns[-2]]), path)
    assert "u_mp_ea: Text, u_count: Int64; expected" in tables.refused(name)
    index = columns.index("u_count")
    pq.write_table(table.set_column(index, "u_count", table["u_count"].cast(pa.int32())), path)
    assert "u_count: Int32, u_mp_ea: Text; expected" in tables.refused(name)


def test_the_columns_of_the_other_layout_are_found(tables: Tables) -> None:
    """A table of users instead of a table of events is refused."""
    shutil.copy(tables.file("users"), tables.file("events"))
    tables.claim("events")
    assert "has user_id: Int32, u_count: Int64, u_mp_ea: Text; expected event_time" in (
        tables.refused("events")
    )


def test_files_that_do_not_belong_are_found(tables: Tables) -> None:
    """It finds files of another version or another program, and files not in the manifest."""
    target = tables.folder / "events"
    (old,) = (path for path in (tables.folder / "events.versions").iterdir() if path.is_dir())
    first = tables.file("events")
    for name, said in (
        (next(old.iterdir()).name, "expected one version"),
        ("_SUCCESS", "contains '_SUCCESS', which events-analytics did not write"),
        (first.name.replace("-00000", "-00001"), "which is not in its manifest"),
    ):
        shutil.copy(first, target / name)
        assert said in tables.refused("events")
        (target / name).unlink()
    first.rename(target / first.name.replace("-00000", "-00001"))
    assert f"lacks {first.name}, which is in its manifest" in tables.refused("events")


def test_a_damaged_file_is_found(tables: Tables) -> None:
    """Half a file is refused."""
    path = tables.file("events")
    path.write_bytes(path.read_bytes()[:-20])
    assert f"{path.name} is not a complete parquet file" in tables.refused("events")


def test_a_table_without_its_manifest_cannot_be_verified(tables: Tables) -> None:
    """The error names a missing or damaged manifest."""
    manifest = tables.manifest("users")
    manifest.write_text("{}")
    assert f"cannot read the manifest {manifest}" in tables.refused("users", ManifestMissing)
    manifest.unlink()
    assert f"the manifest {manifest} of target" in tables.refused("users", ManifestMissing)


def test_raw_files_that_changed_are_named(tables: Tables) -> None:
    """The error names a raw file that is missing or damaged, or has other rows or columns."""
    path = tables.raw / BEFORE / "b.parquet"
    write(path, OLD[:-1])
    said = tables.refused("users", SourceChanged)
    assert f"raw file {path} has 3 rows; it had 4" in said
    pq.write_table(pq.read_table(path, columns=["user_id"], partitioning=None), path)
    assert str(path) in tables.refused("users", ColumnsMissing)
    path.write_bytes(b"")
    assert str(path) in tables.refused("users", UnreadableFile)
    path.unlink()
    assert f"raw file {path}, from which" in tables.refused("users", SourceChanged)
    shutil.rmtree(tables.raw)
    assert f"source {tables.raw} does not exist" in tables.refused("users", SourceMissing)


def test_newer_raw_files_do_not_matter(tables: Tables) -> None:
    """A table is compared only with the files it was made from."""
    write(tables.raw / TODAY / "later.parquet", NEW)
    assert "10 rows of 2 raw files" in tables.verify("events")
    assert "4 rows of 2 raw files" in tables.verify("users")


def test_raw_events_that_changed_are_found(tables: Tables) -> None:
    """A raw file with the same number of rows, but different ones, gives other metrics."""
    write(tables.raw / TODAY / "a.parquet", [*NEW[:-1], event(2, "b", HOUR)])
    said = tables.refused("events")
    assert "user 2 has u_count 1, u_mp_ea 'a'; expected u_count 2, u_mp_ea 'a'" in said


@pytest.mark.parametrize("wrong", ["nothing", "empty", "s3://bucket/enriched"])
def test_an_invalid_target_is_refused(tmp_path: Path, wrong: str) -> None:
    """A target that is missing, empty or remote cannot be verified."""
    (tmp_path / "empty").mkdir()
    target = wrong if "://" in wrong else str(tmp_path / wrong)
    with pytest.raises((SourceMissing, NoData), match=r"publish with|local folder"):
        verify(target, CONTRACT)


def replacing(tables: Tables, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchange the two versions of the events before a footer is read."""
    target = tables.folder / "events"
    (old,) = (path for path in (tables.folder / "events.versions").iterdir() if path.is_dir())
    exchanges = iter(range(times))

    def read(path: Path) -> Footer:
        for _ in exchanges:
            exchange(target, old)
            break
        return read_footer(path)

    monkeypatch.setattr(verification, "read_footer", read)


def test_a_version_that_replaces_the_table_is_verified(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the table is replaced while it is read, the new version is verified."""
    before = tables.file("events").name
    replacing(tables, 1, monkeypatch)
    verified = verify(str(tables.folder / "events"), CONTRACT, str(tables.raw))
    assert [path.name for path in verified.files] == [tables.file("events").name] != [before]


def test_a_table_that_is_replaced_all_the_time_is_refused(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives up after a few tries."""
    replacing(tables, 1000, monkeypatch)
    monkeypatch.setattr(steady, "RETRY_SECONDS", 0)
    said = tables.refused("events", TableReplaced)
    assert "disappeared before it was read, after 4 retries; try again" in said


def test_the_command_has_its_own_exit_code(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong table ends with 5, one that cannot be verified with 1, both before Spark starts."""
    arguments = ["check", "--target", str(tables.folder / "events")]
    tables.rewrite("events", changing(1, u_count=7))
    assert main([*arguments, "--source", str(tables.folder / "nothing")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert main([*arguments, "--source", str(tables.raw)]) == 5
    out, err = capsys.readouterr()
    assert err.startswith("events-analytics: target ")
    assert (out, err.count("\n")) == ("", 1)
    tables.rewrite("events", changing(1, u_count=2))


@pytest.fixture(scope="module")
def raw_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the raw table of an example."""
    return tmp_path_factory.mktemp("examples") / "a.parquet"


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty DuckDB database."""
    with open_database() as opened:
        yield opened


WINDOWS = st.sampled_from([3 * HOUR, timedelta(microseconds=1), timedelta(days=3)])


@settings(max_examples=40)
@example([event(1, ASTRAL), event(1, LAST), event(1, LAST), event(1, ASTRAL)], 3 * HOUR)
@example([event(1, "a", ago) for ago in (timedelta(0), 3 * HOUR, 3 * HOUR)], 3 * HOUR)
@given(rows=raw_tables(CONTRACT, T), window=WINDOWS)
def test_the_recomputation_equals_the_definition(
    raw_file: Path, rows: list[StoredEvent], window: timedelta
) -> None:
    """DuckDB's metrics of each user equal those in plain Python."""
    expected = {
        row.user_id: (row.u_count, row.u_mp_ea)
        for row in CONTRACT.enrich(rows, T, window)
        if row.user_id is not None
    }
    write(raw_file, rows)
    with open_database() as database:
        tally_users(database, [], [raw_file], CountedTimes(T - window, T))
        recompute(database, list(expected))
        found = database.ask("SELECT user_id, u_count, u_mp_ea FROM expected")
    assert {user: metrics for user, *metrics in map(list, found)} == {
        user: list(metrics) for user, metrics in expected.items()
    }
    assert len(found) == len(expected)


def test_times_of_every_kind_are_read_in_utc(tmp_path: Path, database: Database) -> None:
    """INT96, milliseconds and microseconds count in the same window."""
    table = pq.read_table(write(tmp_path / "a.parquet", [event(1, "a", HOUR)]))
    pq.write_table(table, tmp_path / "b.parquet", use_deprecated_int96_timestamps=True)
    pq.write_table(table, tmp_path / "c.parquet", coerce_timestamps="ms")
    files = sorted(tmp_path.iterdir())
    for number, order in enumerate((files, files[::-1], [files[1], files[0], files[2]])):
        with open_database() as opened:
            tally_users(
                opened, [], order, CountedTimes(T - HOUR, T - HOUR + timedelta(microseconds=1))
            )
            assert opened.ask("SELECT recent FROM tally") == [(3,)], number


def test_all_kinds_of_users_are_chosen(tmp_path: Path, database: Database) -> None:
    """The user with the most rows comes first, then users with and without a count, by seed."""
    rows = [event(user, "a", HOUR if user % 2 else DAYS) for user in range(40)]
    path = write(tmp_path / "a.parquet", [*rows, event(8, "a", DAYS), event(None, "a")])
    tally_users(database, [], [path], CountedTimes(T - 3 * HOUR, T))
    chosen = choose_users(database, "seed", 9)
    assert chosen[0] == 8
    assert len(set(chosen)) == 9
    assert sum(user % 2 for user in chosen) == 4
    assert choose_users(database, "seed", 9) == chosen
    assert choose_users(database, "another", 9) != chosen
    assert sorted(choose_users(database, "seed", 100)) == list(range(40))
    assert choose_users(database, "seed", 0) == []
