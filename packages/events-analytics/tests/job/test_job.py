"""The job with a real Spark: what it reads, writes and refuses."""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Unpack

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import events_analytics
from analytics_support.raw_schema import RAW
from events_analytics import AnalyticsError, Manifest
from events_analytics.check.display import read_published, show
from events_analytics.check.verification import verify
from events_analytics.errors import ColumnsMissing, NoData, UnreadableFile
from events_analytics.job.job import JobOptions
from events_schema import Contract, EnrichedEvent, Event, StoredEvent, column_names
from events_schema.runtime.errors import PublishError, SourceMissing, SparkFailed, UsageError

CONTRACT = Contract(Event)
T = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = "event_date=2026-11-24"
SCHEMA = """\
root
 |-- event_time: timestamp (nullable = true)
 |-- user_id: integer (nullable = true)
 |-- app_name: string (nullable = true)
 |-- event_action: string (nullable = true)
 |-- event_category: string (nullable = true)
 |-- event_value: integer (nullable = true)
 |-- u_count: long (nullable = true)
 |-- u_mp_ea: string (nullable = true)"""


def events(count: int = 6, start: int = 0) -> list[StoredEvent]:
    """Return rows of three users and one row without a user, a minute apart."""
    return [
        StoredEvent(
            event_time=T - timedelta(minutes=number),
            user_id=[1, 2, 3, None][number % 4],
            app_name="app 😀",
            event_action=["a", "b", None][number % 3],
            event_category="category",
            event_value=number,
            event_id=f"{number}",
            received_time=T,
        )
        for number in range(start, start + count)
    ]


def write(path: Path, rows: Sequence[StoredEvent], schema: pa.Schema = RAW) -> Path:
    """Write `rows` as the raw table's file at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=RAW)
    pq.write_table(table.select(schema.names).cast(schema), path)
    return path


def rows_of(table: pa.Table) -> Counter[tuple[object, ...]]:
    """Return the rows of an arrow table."""
    return Counter(tuple(row.values()) for row in table.to_pylist())


def expected(stored: Sequence[StoredEvent]) -> Counter[tuple[object, ...]]:
    """Return the enriched rows of `stored` by the definition."""
    return Counter(tuple(dict(row).values()) for row in CONTRACT.enrich(stored, T))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A raw table with two files."""
    folder = tmp_path / "raw"
    write(folder / DAY / "a.parquet", events(6))
    write(folder / "event_date=2026-11-23" / "b.parquet", events(4, start=6))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The folder for the result, which does not exist yet."""
    return tmp_path / "enriched"


def run(spark: SparkSession, source: Path, target: Path, **more: Unpack[JobOptions]) -> Manifest:
    """Run the job at `T`."""
    return events_analytics.run(spark, CONTRACT, source, target, T, **more)


def test_the_result_is_the_enriched_table(spark: SparkSession, source: Path, target: Path) -> None:
    """pyarrow and DuckDB read the rows of the definition from the folder."""
    published = run(spark, source, target)
    assert (published.rows, published.users) == (10, 3)
    table = pq.read_table(target)
    assert table.column_names == list(column_names(EnrichedEvent))
    assert rows_of(table) == expected(events(10))
    found = duckdb.read_parquet(f"{target}/*.parquet").aggregate("count(*), max(u_count)")
    assert found.fetchall() == [(10, 3)]


def test_times_are_int64_micros_in_utc(spark: SparkSession, source: Path, target: Path) -> None:
    """The files have INT64 TIMESTAMP_MICROS adjusted to UTC, and are compressed with zstd."""
    run(spark, source, target)
    for path in target.iterdir():
        metadata = pq.ParquetFile(path).metadata
        column = metadata.schema.column(0)
        assert (column.name, column.physical_type) == ("event_time", "INT64")
        logical = json.loads(column.logical_type.to_json())
        assert (logical["timeUnit"], logical["isAdjustedToUTC"]) == ("microseconds", True)
        assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_target_holds_only_the_version(spark: SparkSession, source: Path, target: Path) -> None:
    """The target has only parquet files named after the version, and no hidden files."""
    published = run(spark, source, target)
    assert {path.name for path in target.iterdir()} == {file.name for file in published.files}
    assert all(file.name.startswith(f"{published.version}-") for file in published.files)
    assert sum(file.rows for file in published.files) == 10


def test_the_manifest_says_what_it_was_made_from(
    spark: SparkSession, source: Path, target: Path
) -> None:
    """The manifest lists the raw files with their rows, and the processing time."""
    published = run(spark, source, target)
    stored = target.with_name("enriched.versions") / f"{published.version}.json"
    assert Manifest.model_validate_json(stored.read_bytes()) == published
    assert {file.name: file.rows for file in published.raw_files} == {
        f"{DAY}/a.parquet": 6,
        "event_date=2026-11-23/b.parquet": 4,
    }
    assert published.processing_time == T


def test_a_second_run_replaces_the_first(spark: SparkSession, source: Path, target: Path) -> None:
    """The next run publishes new events as well, and moves the old version out of the target."""
    first = run(spark, source, target)
    write(source / DAY / "c.parquet", events(2, start=10))
    second = run(spark, source, target)
    assert second.rows == 12
    assert rows_of(pq.read_table(target)) == expected(events(12))
    old = target.with_name("enriched.versions") / first.version
    assert pq.read_table(old).num_rows == 10


def test_a_plain_folder_is_a_source(spark: SparkSession, tmp_path: Path, target: Path) -> None:
    """Files directly in the source are read, whatever characters its path contains."""
    folder = tmp_path / "raw [1] {a,b}*? é"
    write(folder / "a.parquet", events(3))
    assert run(spark, folder, target).rows == 3


def test_an_unusual_target_path_is_not_taken_for_a_pattern(
    spark: SparkSession, source: Path, tmp_path: Path
) -> None:
    """The target's path may contain the characters of patterns."""
    target = tmp_path / "en[r]iched {a,b}*?"
    published = run(spark, source, target)
    assert published.users == 3
    assert read_published(spark, target.iterdir()).count() == 10
    assert verify(str(target), CONTRACT).users == 3


def test_an_empty_source_is_refused(spark: SparkSession, source: Path, target: Path) -> None:
    """A source without files or rows is refused, and the old result stays."""
    published = run(spark, source, target)
    shutil.rmtree(source)
    source.mkdir()
    with pytest.raises(NoData, match="no parquet files"):
        run(spark, source, target)
    write(source / DAY / "a.parquet", [])
    with pytest.raises(NoData, match="without rows"):
        run(spark, source, target)
    assert {path.name for path in target.iterdir()} == {file.name for file in published.files}


@pytest.mark.parametrize("files", [0, 1])
def test_an_empty_result_is_possible(
    spark: SparkSession, tmp_path: Path, target: Path, files: int
) -> None:
    """With `allow_empty`, a source without rows gives a typed result without rows."""
    source = tmp_path / "raw"
    source.mkdir()
    for number in range(files):
        write(source / DAY / f"{number}.parquet", [])
    published = run(spark, source, target, allow_empty=True)
    assert (published.rows, published.users, len(published.files)) == (0, 0, 1)
    assert pq.read_table(target).column_names == list(column_names(EnrichedEvent))


def test_a_file_without_a_column_is_refused(
    spark: SparkSession, source: Path, target: Path
) -> None:
    """If one of many files lacks a column, the error names the file; it is never read as null."""
    schema = RAW.remove(RAW.get_field_index("event_action"))
    write(source / DAY / "odd.parquet", events(1), schema)
    with pytest.raises(ColumnsMissing, match=r"odd\.parquet lacks event_action: Text"):
        run(spark, source, target)
    assert not target.exists()


def test_int96_and_milliseconds_are_read(spark: SparkSession, tmp_path: Path, target: Path) -> None:
    """Times that another writer stored as INT96 or milliseconds become microseconds."""
    source = tmp_path / "raw"
    (source / DAY).mkdir(parents=True)
    table = pa.Table.from_pylist([row.model_dump() for row in events(5)], schema=RAW)
    pq.write_table(table, source / DAY / "a.parquet", use_deprecated_int96_timestamps=True)
    pq.write_table(
        table, source / DAY / "b.parquet", coerce_timestamps="ms", allow_truncated_timestamps=True
    )
    run(spark, source, target)
    assert rows_of(pq.read_table(target)) == expected([*events(5), *events(5)])


@pytest.mark.parametrize(
    ("damaged", "error"),
    [(f"{DAY}/a.parquet", UnreadableFile), ("event_date=2026-11-23/b.parquet", SparkFailed)],
)
def test_a_damaged_file_gives_a_one_line_error(
    spark: SparkSession, source: Path, target: Path, damaged: str, error: type[AnalyticsError]
) -> None:
    """A raw file with damaged rows ends the run with one line, and nothing is left over.

    If it is the largest file, which is read for the frequent actions, Spark does not start.
    """
    first = run(spark, source, target)
    path = source / damaged
    content = path.read_bytes()
    path.write_bytes(b"PAR1" + b"\xff" * 400 + content[404:])
    with pytest.raises(error) as failed:
        run(spark, source, target)
    assert "\n" not in str(failed.value)
    assert {file.name for file in first.files} == {path.name for path in target.iterdir()}
    versions = target.with_name("enriched.versions")
    assert {path.name for path in versions.iterdir()} == {"lock", f"{first.version}.json"}


def test_a_session_without_the_settings_is_refused(
    spark: SparkSession, source: Path, target: Path
) -> None:
    """A session that writes INT96 times is detected before anything is published."""
    key = "spark.sql.parquet.outputTimestampType"
    spark.conf.set(key, "INT96")
    try:
        with pytest.raises(ColumnsMissing, match="int96"):
            run(spark, source, target)
    finally:
        spark.conf.set(key, "TIMESTAMP_MICROS")
    assert not target.exists()


def test_an_invalid_source_is_refused(spark: SparkSession, source: Path, target: Path) -> None:
    """A missing or remote source, or a file, is refused even if an empty result is allowed."""
    for wrong in (source / "nothing", source / DAY / "a.parquet", "hdfs://host/raw"):
        with pytest.raises(SourceMissing):
            events_analytics.run(spark, CONTRACT, wrong, target, T, allow_empty=True)  # type: ignore[arg-type]


def test_folders_that_overlap_are_refused(spark: SparkSession, source: Path) -> None:
    """The target must not be the source, contain it, or be inside it or its versions."""
    link = source.with_name("link")
    link.symlink_to(source)
    for target in (source, source / "enriched", source.parent, link, link / "enriched"):
        with pytest.raises(PublishError, match=r"overlap; give separate folders"):
            run(spark, source, target)
    inside = source.with_name("x.versions") / "v"
    inside.mkdir(parents=True)
    with pytest.raises(PublishError, match=r"overlap; give separate folders"):
        run(spark, inside, source.with_name("x"))


def test_a_time_without_zone_is_refused(spark: SparkSession, source: Path, target: Path) -> None:
    """A processing time without a zone is refused."""
    with pytest.raises(UsageError, match="no zone"):
        events_analytics.run(spark, CONTRACT, source, target, T.replace(tzinfo=None))


def test_check_prints_the_result(
    spark: SparkSession, source: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` prints 50 rows, the number of rows, and the schema with nullable columns."""
    write(source / DAY / "c.parquet", events(90, start=10))
    run(spark, source, target)
    show(read_published(spark, verify(str(target), CONTRACT).files))
    printed = capsys.readouterr().out
    assert printed.count("app 😀") == 50
    assert "Rows in the result dataset: 100\n" in printed
    assert printed[printed.index("root\n") :].strip() == SCHEMA
