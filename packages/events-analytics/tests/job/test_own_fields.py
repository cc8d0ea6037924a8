"""The job with a team's own fields: old files among new ones, and changed contracts."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import events_analytics
from analytics_support.logged_table import LoggedTable
from analytics_support.own_fields import (
    AWKWARD,
    AWKWARD_NAMES,
    COUNTED_PLAN,
    DEFAULT,
    PLAN,
    SHOP,
    raw_schema,
    rows_of,
    write_raw,
)
from analytics_support.raw_schema import TIME
from events_analytics import Job, run_job
from events_analytics.cli import main
from events_analytics.errors import ColumnsMissing
from events_analytics.versions.layout import Layout
from events_schema import Contract, NotAnEvolution, StoredEvent
from events_schema.testing import contracts, raw_tables

T = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = "event_date=2026-11-24"


def event(contract: Contract[Any], number: int = 0, **own: object) -> StoredEvent:
    """Return a row with default values for most columns."""
    return contract.stored.model_validate(
        {
            "event_time": T,
            "user_id": number % 3,
            "app_name": "app",
            "event_action": "a",
            "event_category": "category",
            "event_value": number,
            "event_id": None,
            "received_time": T,
            **own,
        }
    )


def table_rows(target: Path) -> Counter[tuple[object, ...]]:
    """Return the rows of the published table."""
    return Counter(tuple(row.values()) for row in pq.read_table(target).to_pylist())


def expected(contract: Contract[Any], rows: list[StoredEvent]) -> Counter[tuple[object, ...]]:
    """Return the enriched `rows` of the definition."""
    return Counter(tuple(dict(row).values()) for row in contract.enrich(rows, T))


@pytest.fixture(scope="module")
def published(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a raw table and its result, both with all own columns."""
    folder = tmp_path_factory.mktemp("published")
    write_raw(folder / "raw" / DAY / "a.parquet", SHOP, [event(SHOP)])
    events_analytics.run(spark, SHOP, folder / "raw", folder / "enriched", T)
    return folder


@pytest.fixture
def tables(published: Path, tmp_path: Path) -> Path:
    """A copy of that folder for one test."""
    return Path(shutil.copytree(published, tmp_path / "tables"))


@pytest.mark.extended
@settings(
    max_examples=3,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_the_job_equals_the_definition(spark: SparkSession, data: st.DataObject) -> None:
    """It works for any contract, whether files have all, some or none of its own fields."""
    contract = data.draw(contracts(min_fields=1, max_fields=20))
    old = data.draw(raw_tables(DEFAULT, T))
    new = data.draw(raw_tables(contract, T))
    with TemporaryDirectory() as name:
        raw, target = Path(name) / "raw", Path(name) / "enriched"
        write_raw(raw / DAY / "a.parquet", DEFAULT, old)
        write_raw(raw / DAY / "b.parquet", contract, new)
        published = events_analytics.run(spark, contract, raw, target, T)
        assert table_rows(target) == expected(contract, [*rows_of(contract, old), *new])
        assert published.own_types == contract.own_types
        names = pq.read_table(target).column_names
    assert names == list(contract.enriched.model_fields)


def test_own_columns_are_typed_if_no_file_has_them(spark: SparkSession, tmp_path: Path) -> None:
    """A result of old files only has all own columns with their types, and all values are null."""
    write_raw(tmp_path / "raw" / DAY / "a.parquet", DEFAULT, [event(DEFAULT)])
    events_analytics.run(spark, SHOP, tmp_path / "raw", tmp_path / "enriched", T)
    own = pq.read_table(tmp_path / "enriched").select(list(SHOP.own_types))
    assert own.schema == pa.schema(list(raw_schema(SHOP))[8:])
    assert own.to_pylist() == [dict.fromkeys(SHOP.own_types)]


def test_own_fields_may_have_names_that_the_job_uses(spark: SparkSession, tmp_path: Path) -> None:
    """An own field may have any name that Spark's transforms use for something else."""
    rows = [event(AWKWARD, n, **{name: f"{name} {n}" for name in AWKWARD_NAMES}) for n in range(4)]
    write_raw(tmp_path / "raw" / DAY / "a.parquet", AWKWARD, rows)
    events_analytics.run(spark, AWKWARD, tmp_path / "raw", tmp_path / "enriched", T)
    assert table_rows(tmp_path / "enriched") == expected(AWKWARD, rows)


def test_the_contract_may_get_more_fields(spark: SparkSession, tmp_path: Path) -> None:
    """Each version has the columns of its contract, and its manifest lists them."""
    raw, target = tmp_path / "raw", tmp_path / "enriched"
    rows: list[StoredEvent] = []
    for number, contract in enumerate((DEFAULT, PLAN, SHOP)):
        rows.append(event(contract, number, **dict.fromkeys(list(contract.own_types)[:1], "pro")))
        write_raw(raw / DAY / f"{number}.parquet", contract, rows[-1:])
        published = events_analytics.run(spark, contract, raw, target, T)
        assert published.own_types == contract.own_types
        assert table_rows(target) == expected(contract, rows_of(contract, rows))


@contextmanager
def no_session() -> Iterator[SparkSession]:
    """Fail if Spark is started."""
    pytest.fail("Spark was started")
    yield


def files_of(folder: Path) -> dict[Path, bytes]:
    """Return all files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("contract", [DEFAULT, PLAN, COUNTED_PLAN], ids=lambda each: each.name)
def test_a_contract_without_the_results_fields_is_refused(
    tables: Path, contract: Contract[Any], layout: Layout
) -> None:
    """A contract with fewer or other fields is refused before Spark, and nothing is written."""
    target = tables / "enriched"
    before = files_of(tables)
    job = Job(contract, str(tables / "raw"), str(target), T, layout=layout)
    with pytest.raises(NotAnEvolution, match=rf"target {target} has the own field"):
        run_job(job, no_session)
    assert files_of(tables) == before


def test_a_refused_contract_is_exit_code_5(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --contract, on a result with own fields, the error names the flag."""
    folders = ["--source", f"{published}/raw", "--target", f"{published}/enriched"]
    for verb in ("run", "check"):
        assert main([verb, *folders]) == 5
        (line,) = capsys.readouterr().err.splitlines()
        assert "own field plan: Text where contract events_schema:Event has nothing" in line
        assert "--contract" in line


def test_users_have_no_own_columns(spark: SparkSession, published: Path, tmp_path: Path) -> None:
    """The users' layout does not depend on the contract, so another contract may follow."""
    raw, target = published / "raw", tmp_path / "enriched"
    for contract in (SHOP, DEFAULT):
        manifest = events_analytics.run(spark, contract, raw, target, T, layout=Layout.USERS)
        assert manifest.own_types == {}


def test_raw_columns_of_a_longer_contract_are_ignored(spark: SparkSession, tmp_path: Path) -> None:
    """A plain folder whose files have more columns is a valid source."""
    raw, target = tmp_path / "raw", tmp_path / "enriched"
    rows = [event(SHOP, plan="pro", cents=3)]
    write_raw(raw / DAY / "a.parquet", SHOP, rows)
    events_analytics.run(spark, PLAN, raw, target, T)
    assert table_rows(target) == expected(PLAN, rows_of(PLAN, rows))


def test_the_streams_table_of_a_longer_contract_is_refused(
    spark: SparkSession, tmp_path: Path
) -> None:
    """The table remembers its fields, which a job with a shorter contract would drop."""
    raw, target = tmp_path / "raw", tmp_path / "enriched"
    LoggedTable(raw, SHOP).store([event(SHOP, plan="pro", cents=3)])
    with pytest.raises(NotAnEvolution, match=r"--contract") as refused:
        events_analytics.run(spark, PLAN, raw, target, T)
    assert refused.value.exit_code == 5
    assert not target.exists()
    events_analytics.run(spark, SHOP, raw, target, T)


def test_a_result_with_an_unreadable_manifest_is_replaced(
    spark: SparkSession, tables: Path
) -> None:
    """If the manifest is damaged, a run publishes again, as `check` advises."""
    (manifest,) = (tables / "enriched.versions").glob("*.json")
    manifest.write_text("{}")
    again = events_analytics.run(spark, DEFAULT, tables / "raw", tables / "enriched", T)
    assert again.own_types == {}


@pytest.mark.parametrize(
    ("name", "type_", "said"),
    [
        ("plan", pa.int32(), "lacks plan: Text"),
        ("plan", pa.list_(pa.string()), "lacks plan: Text"),
        ("gift", pa.int32(), "lacks gift: Bool"),
        ("price", pa.float32(), "lacks price: Float64"),
        ("items", pa.int64(), "lacks items: Int32"),
        ("cents", pa.int32(), "lacks cents: Int64"),
        ("shipped", pa.timestamp("us"), "lacks shipped: Time"),
        ("shipped", pa.string(), "lacks shipped: Time"),
        ("event_action", None, "lacks event_action: Text"),
        ("received_time", None, "lacks received_time: Time"),
    ],
)
def test_a_file_with_a_missing_or_mistyped_column_is_refused_by_name(
    tmp_path: Path, name: str, type_: pa.DataType | None, said: str
) -> None:
    """A mistyped own column or a missing other column is refused before Spark starts."""
    raw = tmp_path / "raw"
    write_raw(raw / DAY / "a.parquet", SHOP, [event(SHOP)])
    schema = raw_schema(SHOP)
    index = schema.get_field_index(name)
    schema = schema.set(index, pa.field(name, type_)) if type_ else schema.remove(index)
    columns = [pa.nulls(1, field.type) for field in schema]
    pq.write_table(pa.table(columns, schema=schema), raw / DAY / "odd.parquet")
    job = Job(SHOP, str(raw), str(tmp_path / "enriched"), T)
    with pytest.raises(ColumnsMissing, match=rf"odd\.parquet {said}"):
        run_job(job, no_session)
    assert list(tmp_path.iterdir()) == [raw]


def test_times_of_own_columns_may_be_stored_in_another_way(
    spark: SparkSession, tmp_path: Path
) -> None:
    """INT96 and milliseconds are read in own columns as in the others."""
    rows = [event(SHOP, shipped=T)]
    path = write_raw(tmp_path / "raw" / DAY / "a.parquet", SHOP, rows)
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table, path.with_name("b.parquet"), use_deprecated_int96_timestamps=True)
    pq.write_table(table, path.with_name("c.parquet"), coerce_timestamps="ms")
    events_analytics.run(spark, SHOP, tmp_path / "raw", tmp_path / "enriched", T)
    shipped = pq.read_table(tmp_path / "enriched")["shipped"]
    assert (shipped.type, shipped.to_pylist()) == (TIME, [T, T, T])
