"""`check` with a team's own fields compares the columns with the manifest."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import events_analytics
from analytics_support.own_fields import (
    AWKWARD,
    COUNTED_PLAN,
    DEFAULT,
    PLAN,
    SHOP,
    rows_of,
    write_raw,
)
from events_analytics import Manifest
from events_analytics.check.verification import verify
from events_analytics.errors import ColumnsMissing, NotVerified
from events_schema import Contract, NotAnEvolution, StoredEvent

T = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = "event_date=2026-11-24"


def events() -> list[StoredEvent]:
    """Return rows of two users."""
    return [
        StoredEvent(
            event_time=T,
            user_id=number % 2,
            app_name="app",
            event_action="a",
            event_category="category",
            event_value=number,
            event_id=None,
            received_time=T,
        )
        for number in range(5)
    ]


@pytest.fixture(scope="module")
def published(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables in both layouts with one own field, from an old file and a new one."""
    folder = tmp_path_factory.mktemp("published")
    write_raw(folder / "raw" / DAY / "a.parquet", DEFAULT, events())
    write_raw(folder / "raw" / DAY / "b.parquet", PLAN, rows_of(PLAN, events()))
    events_analytics.run(spark, PLAN, folder / "raw", folder / "events", T)
    return folder


@pytest.fixture
def tables(published: Path, tmp_path: Path) -> Path:
    """A copy of the tables for one test."""
    return Path(shutil.copytree(published, tmp_path / "tables"))


@pytest.mark.parametrize("contract", [PLAN, SHOP], ids=lambda each: each.name)
def test_a_table_of_a_shorter_contract_is_verified(
    published: Path, contract: Contract[Any]
) -> None:
    """A table that was published before a field was added is correct."""
    said = str(verify(str(published / "events"), contract))
    assert said == "verified: 10 rows of 2 raw files, 9 columns, metrics of 2 users recomputed"


@pytest.mark.parametrize("contract", [DEFAULT, COUNTED_PLAN], ids=lambda each: each.name)
def test_a_table_of_another_contract_is_not(published: Path, contract: Contract[Any]) -> None:
    """A contract that does not start with the table's own fields is refused with exit code 5."""
    with pytest.raises(NotAnEvolution, match="has the own field plan: Text") as refused:
        verify(str(published / "events"), contract)
    assert refused.value.exit_code == 5


def test_files_must_have_the_columns_of_the_manifest(tables: Path) -> None:
    """A missing own column is found, and so is one that is not in the manifest."""
    (path,) = (tables / "events").iterdir()
    (manifest,) = (tables / "events.versions").glob("*.json")
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["plan"]), path)
    with pytest.raises(NotVerified, match=r"u_mp_ea: Text; expected .*, plan: Text; publish"):
        verify(str(tables / "events"), SHOP)
    pq.write_table(table, path)
    known = Manifest.model_validate_json(manifest.read_bytes())
    manifest.write_bytes(known.model_copy(update={"own_types": {}}).to_json())
    with pytest.raises(NotVerified, match=r"plan: Text; expected .*u_mp_ea: Text; publish"):
        verify(str(tables / "events"), SHOP)


def test_a_manifest_of_2_0_has_no_own_columns(published: Path) -> None:
    """A manifest of an older release is read as a result of the default contract."""
    (path,) = (published / "events.versions").glob("*.json")
    old = Manifest.model_validate_json(path.read_bytes()).model_dump_json(exclude={"own_types"})
    assert Manifest.model_validate_json(old).own_types == {}


def test_raw_files_must_have_the_contracts_types(tables: Path) -> None:
    """The error names a raw file in which an own column has another type."""
    path = write_raw(tables / "raw" / DAY / "b.parquet", COUNTED_PLAN, rows_of(PLAN, events()))
    with pytest.raises(ColumnsMissing, match=rf"{path} lacks plan: Text"):
        verify(str(tables / "events"), PLAN, str(tables / "raw"))


def test_own_columns_may_have_names_that_the_queries_use(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A table is verified even if its own columns have names that the recomputation uses."""
    write_raw(tmp_path / "raw" / DAY / "a.parquet", AWKWARD, rows_of(AWKWARD, events()))
    events_analytics.run(spark, AWKWARD, tmp_path / "raw", tmp_path / "events", T)
    assert verify(str(tmp_path / "events"), AWKWARD).users == 2
