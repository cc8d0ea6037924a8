"""The engines that read the tables, and which addresses each of them reads."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

FILE = "file"


class Engine(StrEnum):
    """An engine that `ddl` writes SQL for."""

    TRINO = "trino"
    PRESTO = "presto"
    ATHENA = "athena"
    DUCKDB = "duckdb"
    SPARK = "spark"


_HADOOP = frozenset({"s3", "s3a", "gs", "abfs", "abfss", "hdfs", FILE})

SCHEMES: Mapping[Engine, frozenset[str]] = {
    Engine.TRINO: _HADOOP | {"local"},
    Engine.PRESTO: _HADOOP,
    Engine.ATHENA: frozenset({"s3"}),
    Engine.DUCKDB: frozenset({"s3", "gs", "gcs", "r2", "az", "azure", "abfss", FILE}),
    Engine.SPARK: _HADOOP,
}
"""The schemes of the addresses under which an engine can list a folder."""
