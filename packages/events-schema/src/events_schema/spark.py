"""Spark schemas derived from the models, and the Spark settings that the tables depend on."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from events_schema.column import ColumnType, columns

_SPARK_TYPES: Mapping[ColumnType, DataType] = {
    ColumnType.BOOL: BooleanType(),
    ColumnType.FLOAT64: DoubleType(),
    ColumnType.INT32: IntegerType(),
    ColumnType.INT64: LongType(),
    ColumnType.STRING: StringType(),
    ColumnType.TIMESTAMP: TimestampType(),
}

SESSION_SETTINGS: Mapping[str, str] = {
    # Days are UTC days, and times are written as INT64 microseconds (Spark's default is INT96).
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    # The folders that readers see contain only parquet files.
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "spark.ui.enabled": "false",
}
"""The settings of both jobs; the tables that they write depend on these."""


def spark_schema(model: type[BaseModel]) -> StructType:
    """Return the `StructType` derived from `model`; every column is nullable."""
    return StructType(
        [StructField(column.name, _SPARK_TYPES[column.type], True) for column in columns(model)]
    )
