"""Finds the failed events of given users among those that can be decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as F

from events_schema import Contract
from events_schema.failed import FAILED_EVENT_DDL
from events_schema.tables.locations import spark_path
from events_stream.records.decode import EVENT, RECORD_COLUMNS, decoder


@dataclass
class FailedOfUsers:
    """Finds the failed events of `users`, and writes their names to files in `folder`."""

    spark: SparkSession
    contract: Contract[Any]
    users: frozenset[int]
    folder: Path
    undecodable: int = 0
    """How many failed events nobody can tell whose they are."""

    def name(self, files: list[Path]) -> Path:
        """Write the names of the users' failed events in `files`; return the folder.

        A name is `partition`, `offset`, and `md5`, the hash of the value.
        """
        failed = self.spark.read.schema(FAILED_EVENT_DDL).parquet(*map(spark_path, files))
        decoded = failed.select(*RECORD_COLUMNS).transform(decoder(self.contract))
        user, seen = F.col(f"{EVENT}.user_id"), Observation()
        counted = decoded.select("partition", "offset", "value", user.alias("user")).observe(
            seen, F.count_if(F.col("user").isNull()).alias("undecodable")
        )
        named = counted.where(F.col("user").isin(*self.users))
        named.select("partition", "offset", F.md5("value").alias("md5")).write.parquet(
            str(self.folder)
        )
        self.undecodable = seen.get["undecodable"]
        return self.folder
