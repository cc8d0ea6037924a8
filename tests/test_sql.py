"""Tests of `events-analytics ddl` and the questions in `sql/`, in DuckDB and Spark SQL."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from pyspark.sql import SparkSession
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

import events_analytics
from analytics_support.own_fields import AWKWARD, SHOP, raw_schema, rows_of
from analytics_support.raw_schema import COLUMNS
from events_analytics.settings import Engine
from events_analytics.versions.layout import Layout
from events_schema import EnrichedEvent, StoredEvent, column_names
from line_support.sql_engines import Duck, Rows, SparkSql, Sql, statements
from line_support.sql_rows import CONTRACT, T, at, generated, story
from line_support.sql_tables import publish, write_raw

pytestmark = pytest.mark.extended

ROOT = Path(__file__).parents[1]
QUESTIONS = sorted((ROOT / "sql").glob("*.sql"))
AWKWARD_FOLDER = "a 'q' \" é %41;"
"""A folder's name with characters that are special in addresses and in SQL literals."""


@pytest.fixture(autouse=True)
def no_schema(spark: SparkSession) -> Iterator[None]:
    """Remove the tables from the shared session after the test."""
    yield
    SparkSql.forget(spark)


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of generated events, as stream and job write them, in an awkward folder."""
    folder = tmp_path_factory.mktemp("sql") / AWKWARD_FOLDER
    write_raw(spark, generated(1200), folder / "raw", 1)
    events_analytics.run(spark, CONTRACT, folder / "raw", folder / "events", T)
    return folder


def test_both_read_the_raw_table_to_the_microsecond(spark: SparkSession, folder: Path) -> None:
    """DuckDB and Spark read each stored row once, with its day, from a path of any characters."""
    stored = Counter(
        (*dict(row).values(), row.event_time and row.event_time.date()) for row in generated(1200)
    )
    sql = f"SELECT {', '.join(column_names(StoredEvent))}, event_date FROM raw_events"
    assert Counter(Duck(folder).query(sql)) == stored
    assert Counter(SparkSql(spark, folder).query(sql)) == stored


def test_both_read_the_enriched_table(spark: SparkSession, folder: Path) -> None:
    """DuckDB and Spark read the enriched rows that the definition gives."""
    expected = Counter(tuple(dict(row).values()) for row in CONTRACT.enrich(generated(1200), T))
    sql = "SELECT * FROM enriched_events"
    assert Counter(Duck(folder).query(sql)) == expected
    assert Counter(SparkSql(spark, folder).query(sql)) == expected


def test_the_types_are_the_contracts(spark: SparkSession, folder: Path) -> None:
    """Both engines give each column the contract's type, as Arrow has it."""
    engines: list[Sql] = [Duck(folder), SparkSql(spark, folder)]
    for engine in engines:
        raw = engine.table("SELECT * FROM raw_events LIMIT 1").schema
        assert list(zip(raw.names, raw.types, strict=True)) == [
            *COLUMNS,
            ("event_date", pa.date32()),
        ]
        enriched = engine.table("SELECT * FROM enriched_events LIMIT 1").schema
        assert list(zip(enriched.names, enriched.types, strict=True)) == [
            *COLUMNS[:6],
            ("u_count", pa.int64()),
            ("u_mp_ea", pa.string()),
        ]


def test_duckdb_opens_only_the_requested_days(folder: Path) -> None:
    """DuckDB opens only the files of the days that the query selects."""
    files = list((folder / "raw").glob("*/*"))
    asked = [file for file in files if file.parent.name == "event_date=2026-01-12"]
    ((_, plan),) = Duck(folder).query(
        "EXPLAIN ANALYZE SELECT user_id FROM raw_events WHERE event_date = DATE '2026-01-12'"
    )
    assert 0 < len(asked) < len(files)
    assert f"Scanning Files: {len(asked)}/{len(files)}" in plan


def test_event_date_is_a_date_without_any_day(spark: SparkSession, tmp_path: Path) -> None:
    """`event_date` is a date even if no row has a time."""
    (untimed,) = (row.model_copy(update={"event_time": None}) for row in story()[:1])
    write_raw(spark, [untimed], tmp_path / "raw", 1)
    publish(spark, tmp_path / "raw", tmp_path / Layout.EVENTS, Layout.EVENTS, T)
    days = Duck(tmp_path).table("SELECT event_date FROM raw_events")
    assert (days.schema.types, days.to_pylist()) == ([pa.date32()], [{"event_date": None}])


def test_duckdb_reads_a_path_that_is_a_pattern(folder: Path, tmp_path: Path) -> None:
    """The folder's name may look like a pattern that matches other folders."""
    for name in ("a[1]*?{b,c}", "a1xxb"):
        shutil.copytree(folder, tmp_path / name)
    counts = "SELECT count(*) FROM raw_events UNION ALL SELECT count(*) FROM enriched_events"
    assert Duck(tmp_path / "a[1]*?{b,c}").query(counts) == Duck(folder).query(counts)


def test_duckdb_sees_added_and_removed_days(folder: Path, tmp_path: Path) -> None:
    """A view shows added days and files, and neither removed ones nor other files."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    duck = Duck(tmp_path)
    days = "SELECT DISTINCT event_date FROM raw_events WHERE event_date IS NOT NULL ORDER BY 1"
    first, *others = duck.query(days)
    raw = tmp_path / "raw"
    (raw / f"event_date={first[0]}").rename(raw / "event_date=2027-01-01")
    shutil.copytree(raw / "event_date=2027-01-01", raw / "_copy")
    assert duck.query(days) == [*others, (date(2027, 1, 1),)]


def test_spark_sees_added_and_removed_days(
    spark: SparkSession, folder: Path, tmp_path: Path
) -> None:
    """After the repair and refresh that the comments name, Spark shows the current folders."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    sql = SparkSql(spark, tmp_path)
    days = "SELECT DISTINCT event_date FROM raw_events WHERE event_date IS NOT NULL ORDER BY 1"
    count = "SELECT count(*) FROM raw_events"
    first, *others = sql.query(days)
    ((before,),) = sql.query(count)
    day = tmp_path / "raw" / f"event_date={first[0]}"
    added = pq.read_table(next(day.glob("*.parquet"))).num_rows
    day.rename(tmp_path / "raw" / "event_date=2027-01-01")
    write_raw(spark, generated(3)[1:3], tmp_path / "raw", 2)
    text = statements(Engine.SPARK, tmp_path, Layout.EVENTS)
    for statement in re.findall(r"(?:MSCK REPAIR|REFRESH) TABLE [\w. ]+", text):
        spark.sql(statement)
    assert added
    assert sql.query(days)[-1] == (date(2027, 1, 1),)
    assert (f"event_date={first[0]}",) not in sql.query("SHOW PARTITIONS raw_events")
    assert set(others) <= set(sql.query(days))
    assert sql.query(count) == [(before + 2,)]


def test_the_questions_have_one_answer(spark: SparkSession, folder: Path) -> None:
    """DuckDB, in any time zone, and Spark give the same non-empty answers to all questions."""
    questions = {path.stem: path.read_text("utf-8") for path in QUESTIONS}
    engines: list[Sql] = [
        Duck(folder),
        Duck(folder, zone="America/New_York"),
        SparkSql(spark, folder),
    ]
    one, *others = (
        {name: engine.query(sql) for name, sql in questions.items()} for engine in engines
    )
    assert [other == one for other in others] == [True, True]
    assert [name for name, answer in one.items() if not any(map(any, answer))] == []


def shop_rows() -> list[StoredEvent]:
    """Return the story with own fields; the last row has a value in each."""
    last = {
        "plan": "pro", "gift": True, "price": -0.1, "items": 2**31 - 1, "cents": -(2**63),
        "shipped": T + timedelta(microseconds=1),
    }  # fmt: skip
    rows = rows_of(SHOP, story())
    return [*rows[:-1], rows[-1].model_copy(update=last)]


def test_own_columns_that_no_file_has_yet_are_null(spark: SparkSession, tmp_path: Path) -> None:
    """With added fields, old files and results have null in the new columns, with their types."""
    write_raw(spark, story(), tmp_path / "raw", 1)
    own = list(raw_schema(SHOP))[8:]
    for layout in Layout:
        publish(spark, tmp_path / "raw", tmp_path / layout, layout, T)
        engines: list[Sql] = [
            Duck(tmp_path, layout, contract=SHOP),
            SparkSql(spark, tmp_path, layout, contract=SHOP),
        ]
        for engine in engines:
            for table in ("raw_events", "enriched_events"):
                found = engine.table(f"SELECT {', '.join(SHOP.own_types)} FROM {table}")
                assert list(found.schema) == own
                assert found.to_pylist() == [dict.fromkeys(SHOP.own_types)] * len(story())


def test_own_columns_of_some_files_are_null_in_the_others(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Both engines read files from before and after a field was added, in both layouts."""
    before, after = rows_of(SHOP, story()), shop_rows()
    write_raw(spark, story(), tmp_path / "raw", 1)
    write_raw(spark, after, tmp_path / "raw", 2, contract=SHOP)
    names = ", ".join(column_names(SHOP.stored))
    stored = Counter(tuple(dict(row).values()) for row in (*before, *after))
    enriched = Counter(tuple(dict(row).values()) for row in SHOP.enrich((*before, *after), T))
    for layout in Layout:
        publish(spark, tmp_path / "raw", tmp_path / layout, layout, T, contract=SHOP)
        engines: list[Sql] = [
            Duck(tmp_path, layout, contract=SHOP),
            SparkSql(spark, tmp_path, layout, contract=SHOP),
        ]
        for engine in engines:
            assert Counter(engine.query(f"SELECT {names} FROM raw_events")) == stored
            assert Counter(engine.query("SELECT * FROM enriched_events")) == enriched


def test_duckdb_with_own_columns_opens_only_the_requested_days(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A view from before a field was added shows the new column, and still selects files by day."""
    write_raw(spark, story(), tmp_path / "raw", 1)
    publish(spark, tmp_path / "raw", tmp_path / Layout.EVENTS, Layout.EVENTS, T)
    duck = Duck(tmp_path, contract=SHOP)
    write_raw(spark, shop_rows(), tmp_path / "raw", 2, contract=SHOP)
    asked = "FROM raw_events WHERE event_date = DATE '2026-01-13'"
    assert Counter(duck.query(f"SELECT plan {asked}")) == {("pro",): 1, (None,): 5}
    ((_, plan),) = duck.query(f"EXPLAIN ANALYZE SELECT user_id, plan {asked}")
    assert "Scanning Files: 2/8" in plan
    ((_, plan),) = duck.query("EXPLAIN ANALYZE SELECT plan FROM raw_events WHERE user_id = 3")
    assert "user_id = 3" in plan.partition("Filters:")[2].splitlines()[0]


def test_own_columns_may_have_names_of_our_queries(spark: SparkSession, tmp_path: Path) -> None:
    """Own columns may have the same names as tables and aliases in our queries."""
    (row, *_) = rows_of(AWKWARD, story())
    row = row.model_copy(update={name: f"own {name}" for name in AWKWARD.own_types})
    write_raw(spark, [row], tmp_path / "raw", 1, contract=AWKWARD)
    (expected,) = (tuple(dict(each).values()) for each in AWKWARD.enrich([row], T))
    for layout in Layout:
        publish(spark, tmp_path / "raw", tmp_path / layout, layout, T, contract=AWKWARD)
        sql = "SELECT * FROM enriched_events"
        assert Duck(tmp_path, layout, contract=AWKWARD).query(sql) == [expected]
        assert SparkSql(spark, tmp_path, layout, contract=AWKWARD).query(sql) == [expected]


JAN = {day: date(2026, 1, day) for day in (5, 6, 12, 13)}
ANSWERS: dict[str, Rows] = {
    "01_daily_active_users": [(JAN[5], 2, 4), (JAN[6], 1, 1), (JAN[12], 1, 1), (JAN[13], 1, 3)],
    "02_top_actions": [
        ("category_1", "button_click", 4, 3, None),
        ("category_1", "page_view", 4, 3, 2.0),
        ("category_1", "scroll", 1, 1, 4.0),
    ],
    "03_funnel": [(3, 2, 1)],
    "04_retention": [(JAN[5], 2, 1, 0, 0, 0), (JAN[12], 1, 0, 0, 0, 0)],
    "05_duplicates": [
        (str(UUID(int=6)), 2, at(13, 8) + timedelta(milliseconds=500), at(13, 10)),
    ],
    "06_sessions": [(JAN[5], 2, 2.5, 0), (JAN[12], 1, 1.0, 1), (JAN[13], 2, 1.5, 1)],
    "07_users_by_activity": [(1, 1, 3), (2, 2, 6)],
    "08_delay": [
        (JAN[5], 4, 4, 4, 4, 4),
        (JAN[6], 1, 1, 1, 1, 1),
        (JAN[12], 1, 1, 1, 1, 1),
        (JAN[13], 2, 2, 2, 3, 3),
    ],
    "09_favourite_actions": [("button_click", 2, 1, 3), ("page_view", 1, 0, 0)],
    "10_growth": [(JAN[5], 2, 2), (JAN[13], 1, 3)],
}
"""The correct answers for the story."""


def test_the_answers_are_right(spark: SparkSession, tmp_path: Path) -> None:
    """Each question gives the correct answer for the story of three users."""
    write_raw(spark, story(), tmp_path / "raw", 1)
    publish(spark, tmp_path / "raw", tmp_path / Layout.EVENTS, Layout.EVENTS, T)
    duck = Duck(tmp_path)
    assert {path.stem: duck.query(path.read_text("utf-8")) for path in QUESTIONS} == ANSWERS


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda path: path.stem)
def test_a_question_is_in_every_dialect(question: Path, engine: Engine) -> None:
    """Each question parses in each engine's dialect, and uses only existing columns."""
    known: dict[str, object] = {
        "raw_events": dict.fromkeys([*column_names(StoredEvent), "event_date"], "text"),
        "enriched_events": dict.fromkeys(column_names(EnrichedEvent), "text"),
    }
    statement = sqlglot.parse_one(question.read_text("utf-8").strip(), dialect=engine)
    assert isinstance(statement, exp.Select)
    qualify(statement, schema=known, dialect=engine, validate_qualify_columns=True)
