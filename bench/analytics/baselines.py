"""The baselines of the batch job, each run as a process: `NAME SOURCE TARGET MEMORY`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import duckdb
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from bench.analytics.event_tables import PROCESSING_TIME

SIX = ["event_time", "user_id", "app_name", "event_action", "event_category", "event_value"]


def _spark(memory: str) -> SparkSession:
    return (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", memory)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .getOrCreate()
    )


def copy(source: str, target: str, memory: str) -> None:
    """Read the rows and write them back with two literal columns."""
    spark = _spark(memory)
    rows = spark.read.parquet(source).select(
        *SIX, F.lit(1).cast("long").alias("u_count"), F.lit("page_view").alias("u_mp_ea")
    )
    rows.write.parquet(target)
    spark.stop()


def textbook(source: str, target: str, memory: str) -> None:
    """Do the job in the obvious way: cache, two group-bys, a window, joins, one file."""
    spark = _spark(memory)
    rows = spark.read.parquet(source).select(*SIX).cache()
    now = F.lit(PROCESSING_TIME)
    recent = (F.col("event_time") >= now - F.expr("INTERVAL 3 HOURS")) & (F.col("event_time") < now)
    counts = rows.where(recent).groupBy("user_id").agg(F.count("*").alias("u_count"))
    by_action = (
        rows.where(F.col("event_action").isNotNull())
        .groupBy("user_id", "event_action")
        .agg(F.count("*").alias("times"))
    )
    ranked = Window.partitionBy("user_id").orderBy(F.col("times").desc(), F.col("event_action"))
    favourites = (
        by_action.withColumn("rank", F.row_number().over(ranked))
        .where(F.col("rank") == 1)
        .select("user_id", F.col("event_action").alias("u_mp_ea"))
    )
    enriched = rows.join(counts, "user_id", "left").join(favourites, "user_id", "left")
    enriched.select(*SIX, "u_count", "u_mp_ea").repartition(1).write.parquet(target)
    spark.stop()


def one_query(source: str, target: str, memory: str) -> None:
    """Do the job in DuckDB, in one query."""
    with duckdb.connect(config={"threads": 2, "memory_limit": f"{memory}b"}) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        connection.execute(
            f"""
            COPY (
                WITH raw AS (SELECT * FROM read_parquet('{source}/*/*.parquet')),
                by_action AS (
                    SELECT user_id, event_action, count(*) AS times, count(*) FILTER (
                        event_time >= TIMESTAMPTZ '{PROCESSING_TIME}' - INTERVAL 3 HOURS
                        AND event_time < TIMESTAMPTZ '{PROCESSING_TIME}') AS recent
                    FROM raw WHERE user_id IS NOT NULL GROUP BY user_id, event_action),
                metrics AS (
                    SELECT user_id, nullif(sum(recent), 0)::BIGINT AS u_count,
                        arg_min(event_action, (-times, event_action))
                            FILTER (event_action IS NOT NULL) AS u_mp_ea
                    FROM by_action GROUP BY user_id)
                SELECT {", ".join(f"raw.{name}" for name in SIX)}, u_count, u_mp_ea
                FROM raw LEFT JOIN metrics USING (user_id)
            ) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
            """  # noqa: S608  # the bench's own folders
        )


BASELINES: Mapping[str, Callable[[str, str, str], None]] = {
    "copy": copy,
    "textbook": textbook,
    "duckdb": one_query,
}

if __name__ == "__main__":
    BASELINES[sys.argv[1]](*sys.argv[2:])
