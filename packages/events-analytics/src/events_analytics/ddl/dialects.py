"""The SQL with which each engine declares a table of parquet files and learns of new files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from events_analytics.ddl.declared_table import DeclaredTable
from events_analytics.settings import Engine
from events_schema.column import ColumnType, columns
from events_schema.tables.locations import duckdb_path
from events_schema.tables.own_columns import own_columns
from events_schema.tables.partitions import PARTITION_COLUMN

SCHEMA = "events"


class Dialect(ABC):
    """The SQL of one engine: statements, and comments before them that say when to run them.

    Comments have no semicolon, so a text can be split into statements at `;` and a line break.
    """

    timestamp: str
    string = "varchar"
    int32 = "integer"
    opening: str
    schema_prefix = f"{SCHEMA}."

    def type_of(self, column_type: ColumnType) -> str:
        """Return the engine's name of a column type."""
        types: Mapping[ColumnType, str] = {
            ColumnType.BOOL: "boolean",
            ColumnType.FLOAT64: "double",
            ColumnType.INT32: self.int32,
            ColumnType.INT64: "bigint",
            ColumnType.STRING: self.string,
            ColumnType.TIMESTAMP: self.timestamp,
        }
        return types[column_type]

    @abstractmethod
    def raw(self, table: DeclaredTable) -> str:
        """Return the SQL that declares the partitioned `table` and registers its days."""

    @abstractmethod
    def result(self, table: DeclaredTable) -> str:
        """Return the SQL that declares `table`, which new versions replace."""

    def _columns(self, table: DeclaredTable) -> list[str]:
        return [f"{each.name} {self.type_of(each.type)}" for each in columns(table.model)]

    def _name(self, table: DeclaredTable) -> str:
        return f"{self.schema_prefix}{table.name}"


def _block(lines: Iterable[str]) -> str:
    return "(\n" + ",\n".join(f"    {line}" for line in lines) + "\n)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted_for_spark(text: str) -> str:
    """Quote a text without backslashes, escaping quotes, since Spark reads 'it''s' as its."""
    return "'" + text.replace("'", "\\'") + "'"


class Presto(Dialect):
    """Presto's Hive connector."""

    timestamp = "timestamp"
    opening = f"""\
-- For Presto: presto --catalog hive -f THIS_FILE
-- Times are shown cut to milliseconds, in the zone of the session.
CREATE SCHEMA IF NOT EXISTS {SCHEMA};"""

    def raw(self, table: DeclaredTable) -> str:
        """Return the SQL of an external table, and the call that registers its days."""
        return (
            f"{self._create(table)}\n\n-- Again whenever a day is new, or gone:\n"
            f"CALL system.sync_partition_metadata('{SCHEMA}', '{table.name}', 'FULL');"
        )

    def result(self, table: DeclaredTable) -> str:
        """Return the SQL of an external table, whose folder Presto lists for each query."""
        return f"-- When a new version is published: nothing to run.\n{self._create(table)}"

    def _create(self, table: DeclaredTable) -> str:
        declared, properties = self._columns(table), ["format = 'PARQUET'"]
        properties.append(f"external_location = {_quoted(table.location)}")
        if table.partitioned:
            declared.append(f"{PARTITION_COLUMN} date")
            properties.append(f"partitioned_by = ARRAY['{PARTITION_COLUMN}']")
        name = self._name(table)
        return f"CREATE TABLE IF NOT EXISTS {name} {_block(declared)}\nWITH {_block(properties)};"


class Trino(Presto):
    """Trino's Hive connector, with times to the microsecond."""

    timestamp = "timestamp(6)"
    opening = f"""\
-- For Trino: trino --catalog hive -f THIS_FILE
-- The catalog needs hive.timestamp-precision=MICROSECONDS, for file:// also fs.hadoop.enabled=true
CREATE SCHEMA IF NOT EXISTS {SCHEMA};"""


class Spark(Dialect):
    """Spark SQL's tables of parquet files."""

    timestamp = "timestamp"
    string = "string"
    int32 = "int"
    opening = f"""\
-- For Spark SQL: spark-sql -f THIS_FILE
-- Times are shown in the zone of the session. For UTC, in each: SET TIME ZONE 'UTC'
CREATE SCHEMA IF NOT EXISTS {SCHEMA};"""

    def raw(self, table: DeclaredTable) -> str:
        """Return the SQL of an external table, and the repair that registers its days."""
        return (
            f"{self._create(table)}\n\n"
            "-- Again whenever a day is new, or gone, and in a long session for new files:\n"
            f"MSCK REPAIR TABLE {self._name(table)} SYNC PARTITIONS;"
        )

    def result(self, table: DeclaredTable) -> str:
        """Return the SQL of an external table, whose folder a session lists once."""
        return (
            "-- When a new version is published, in a long session: "
            f"REFRESH TABLE {self._name(table)}\n{self._create(table)}"
        )

    def _create(self, table: DeclaredTable) -> str:
        declared, partitioning = self._columns(table), ""
        if table.partitioned:
            declared.append(f"{PARTITION_COLUMN} date")
            partitioning = f"PARTITIONED BY ({PARTITION_COLUMN})\n"
        return (
            f"CREATE TABLE IF NOT EXISTS {self._name(table)} {_block(declared)}\n"
            f"USING PARQUET\n{partitioning}LOCATION {_quoted_for_spark(table.location)};"
        )


class Athena(Dialect):
    """Athena, with declarations in Hive's SQL."""

    timestamp = "timestamp"
    string = "string"
    int32 = "int"
    opening = f"""\
-- For Athena, one statement at a time. Times are shown to the millisecond.
CREATE DATABASE IF NOT EXISTS {SCHEMA};"""

    def raw(self, table: DeclaredTable) -> str:
        """Return the SQL of an external table whose days follow from the calendar."""
        return (
            "-- New days need no registration. Days outside the range are not seen, without an "
            "error. To widen it:\n"
            f"-- ALTER TABLE {self._name(table)} SET TBLPROPERTIES "
            f"('projection.{PARTITION_COLUMN}.range' = '2020-01-01,NOW+1DAY')\n"
            f"{self._create(table)}"
        )

    def result(self, table: DeclaredTable) -> str:
        """Return the SQL of an external table over one version's folder."""
        folder = table.location.rpartition("/")[0]
        return (
            "-- When a new version is published, once its folder is in S3:\n"
            f"-- ALTER TABLE {self._name(table)} SET LOCATION '{folder}/VERSION/'\n"
            f"{self._create(table)}"
        )

    def _create(self, table: DeclaredTable) -> str:
        days = ""
        if table.partitioned:
            projection = {
                "projection.enabled": "true",
                f"projection.{PARTITION_COLUMN}.type": "date",
                f"projection.{PARTITION_COLUMN}.format": "yyyy-MM-dd",
                f"projection.{PARTITION_COLUMN}.range": "NOW-3YEARS,NOW+1DAY",
                f"projection.{PARTITION_COLUMN}.interval": "1",
                f"projection.{PARTITION_COLUMN}.interval.unit": "DAYS",
            }
            properties = _block(f"'{name}' = '{value}'" for name, value in projection.items())
            days = f"\nTBLPROPERTIES {properties}"
        partitioning = f"PARTITIONED BY ({PARTITION_COLUMN} date)\n" if table.partitioned else ""
        return (
            f"CREATE EXTERNAL TABLE IF NOT EXISTS {self._name(table)} "
            f"{_block(self._columns(table))}\n{partitioning}STORED AS PARQUET\n"
            f"LOCATION {_quoted(table.location + '/')}{days};"
        )


class DuckDB(Dialect):
    """DuckDB, where a view reads the files."""

    timestamp = "timestamptz"
    schema_prefix = ""
    opening = """\
-- For DuckDB: duckdb events.duckdb < THIS_FILE
-- Times are shown in the zone of the session. For UTC, in each: SET TimeZone = 'UTC'
-- A view can be made once its folder holds a file."""

    def raw(self, table: DeclaredTable) -> str:
        """Return a view, for which files are looked up with each query."""
        return f"-- When a day is new, or gone: nothing to run.\n{self._create(table)}"

    def result(self, table: DeclaredTable) -> str:
        """Return a view, for which files are looked up with each query."""
        return f"-- When a new version is published: nothing to run.\n{self._create(table)}"

    def _create(self, table: DeclaredTable) -> str:
        declared = [
            f"{each.name}::{self.type_of(each.type)} AS {each.name}"
            for each in columns(table.model)
        ]
        pattern, options = "*.parquet", "hive_partitioning = false"
        if table.partitioned:
            # As text: DuckDB before 2 cannot read __HIVE_DEFAULT_PARTITION__ as a date.
            declared.append(f"try_cast({PARTITION_COLUMN} AS date) AS {PARTITION_COLUMN}")
            pattern = f"{PARTITION_COLUMN}=*/*.parquet"
            options = f"hive_partitioning = true, hive_types = {{'{PARTITION_COLUMN}': varchar}}"
        selected = ",\n".join(f"    {each}" for each in declared)
        files = _quoted(f"{duckdb_path(table.location)}/{pattern}")
        rows = f"read_parquet({files}, {options})"
        if own_columns(table.model):
            rows = self._by_name(table, f"read_parquet({files}, {options}, union_by_name = true)")
        return f"CREATE OR REPLACE VIEW {self._name(table)} AS\nSELECT\n{selected}\nFROM {rows};"

    def _by_name(self, table: DeclaredTable, files: str) -> str:
        """Return the rows of `files`, some or all of which may lack own columns.

        A SELECT without rows adds the own columns even if all files lack them.
        """
        own = own_columns(table.model)
        nulls = ", ".join(f"NULL::{self.type_of(each.type)} AS {each.name}" for each in own)
        return (
            f"(\n    SELECT {nulls} WHERE false\n    UNION ALL BY NAME\n"  # noqa: S608
            f"    SELECT * FROM {files}\n)"
        )


DIALECTS: Mapping[Engine, Dialect] = MappingProxyType(
    {
        Engine.TRINO: Trino(),
        Engine.PRESTO: Presto(),
        Engine.ATHENA: Athena(),
        Engine.DUCKDB: DuckDB(),
        Engine.SPARK: Spark(),
    }
)
