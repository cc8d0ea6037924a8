"""Tests that the view of raw rows and users equals the enriched table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from events_analytics.versions.layout import Layout
from events_schema import EnrichedEvent, column_names
from events_schema.testing import contracts, raw_tables
from line_support.sql_engines import Duck, SparkSql, Sql
from line_support.sql_rows import T, generated
from line_support.sql_tables import publish, write_raw

pytestmark = pytest.mark.extended


@pytest.fixture(autouse=True)
def no_schema(spark: SparkSession) -> Iterator[None]:
    """Remove the tables from the shared session after the test."""
    yield
    SparkSql.forget(spark)


@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_the_view_is_the_rewritten_table(spark: SparkSession, data: st.DataObject) -> None:
    """For any contract and rows, the join of the raw table and users is the enriched table."""
    contract = data.draw(contracts(max_fields=6))
    histories = st.lists(raw_tables(contract, T), min_size=4, max_size=8)
    rows = list(chain.from_iterable(data.draw(histories)))
    expected = Counter(tuple(dict(row).values()) for row in contract.enrich(rows, T))
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_raw(spark, rows, folder / "raw", 1, contract=contract)
        for layout in Layout:
            publish(spark, folder / "raw", folder / layout, layout, T, contract=contract)
            sql = "SELECT * FROM enriched_events"
            assert Counter(Duck(folder, layout, contract=contract).query(sql)) == expected
            engine = SparkSql(spark, folder, layout, contract=contract)
            assert Counter(engine.query(sql)) == expected


def test_the_view_has_the_tables_columns(spark: SparkSession, tmp_path: Path) -> None:
    """The view has the names, the order and the types of the enriched table."""
    write_raw(spark, generated(10), tmp_path / "raw", 1)
    for layout in Layout:
        publish(spark, tmp_path / "raw", tmp_path / layout, layout, T)
    sql = "SELECT * FROM enriched_events"
    for engine in ("duckdb", "spark"):
        found = []
        for layout in Layout:
            of_it: Sql = (
                Duck(tmp_path, layout) if engine == "duckdb" else SparkSql(spark, tmp_path, layout)
            )
            found.append(of_it.table(sql).schema)
        assert found[0] == found[1]
        assert found[0].names == list(column_names(EnrichedEvent))
