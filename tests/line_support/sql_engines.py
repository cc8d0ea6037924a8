"""DuckDB and Spark SQL with the tables of a folder, declared by the statements of `ddl`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
from pyspark.sql import SparkSession

from events_analytics.ddl.statements import ddl
from events_analytics.settings import Engine
from events_analytics.versions.layout import Layout
from events_schema import Contract
from line_support.sql_rows import CONTRACT

Rows = list[tuple[Any, ...]]


class Sql(Protocol):
    """A SQL engine with the tables of a folder."""

    def table(self, sql: str) -> pa.Table:
        """Return the result of `sql`."""

    def query(self, sql: str) -> Rows:
        """Return the rows of the result of `sql`."""


class Duck:
    """DuckDB, with the tables of a folder."""

    def __init__(
        self,
        folder: Path,
        layout: Layout = Layout.EVENTS,
        zone: str = "UTC",
        contract: Contract[Any] = CONTRACT,
    ) -> None:
        self._connection = duckdb.connect()
        self._connection.execute(f"SET TimeZone = '{zone}'")
        self._connection.execute(statements(Engine.DUCKDB, folder, layout, contract))

    def table(self, sql: str) -> pa.Table:
        """Return the result of `sql`."""
        table: pa.Table = self._connection.sql(sql).to_arrow_table()
        return table

    def query(self, sql: str) -> Rows:
        """Return the rows of the result of `sql`."""
        return rows_of(self.table(sql))


class SparkSql:
    """Spark SQL, with the tables of a folder. Tables of an earlier folder are dropped."""

    def __init__(
        self,
        spark: SparkSession,
        folder: Path,
        layout: Layout = Layout.EVENTS,
        contract: Contract[Any] = CONTRACT,
    ) -> None:
        self._spark = spark
        self.forget(spark)
        for statement in statements(Engine.SPARK, folder, layout, contract).split(";\n"):
            spark.sql(statement.strip().removesuffix(";"))

    @staticmethod
    def forget(spark: SparkSession) -> None:
        """Drop the tables that were declared in the session."""
        spark.sql("DROP SCHEMA IF EXISTS events CASCADE")

    def table(self, sql: str) -> pa.Table:
        """Return the result of `sql`."""
        self._spark.sql("USE events")
        try:
            return self._spark.sql(sql.strip().removesuffix(";")).toArrow()
        finally:
            self._spark.sql("USE default")

    def query(self, sql: str) -> Rows:
        """Return the rows of the result of `sql`."""
        return rows_of(self.table(sql))


def statements(
    engine: Engine, folder: Path, layout: Layout, contract: Contract[Any] = CONTRACT
) -> str:
    """Return the DDL for the tables in `folder`."""
    return ddl(engine, contract, f"{folder}/raw", f"{folder}/{layout}", layout, None)


def rows_of(table: Any) -> Rows:
    """Return the rows of an Arrow table; times have a time zone."""
    return [tuple(row.values()) for row in table.to_pylist()]
