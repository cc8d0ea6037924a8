"""The two metrics of each user, as a Spark transform equal to `events_schema.enrich`."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from events_schema import EnrichedEvent, column_names
from events_schema.enrichment import WINDOW


def enrich(events: DataFrame, processing_time: datetime) -> DataFrame:
    """Return each row of the raw table once, with its user's metrics: `EnrichedEvent`'s columns.

    `processing_time` has a zone. `events_schema.enrich` defines the metrics.
    """
    metrics = user_metrics(events, processing_time)
    # A null user_id equals nothing in a join, so such rows keep nulls.
    enriched = events.join(metrics, on="user_id", how="left")
    return enriched.select(*column_names(EnrichedEvent))


def user_metrics(events: DataFrame, processing_time: datetime) -> DataFrame:
    """Return one row per user: `user_id`, `u_count` and `u_mp_ea`.

    Counting by user and action first keeps a user with very many events from being one task.
    """
    by_action = (
        events.where(F.col("user_id").isNotNull())
        .groupBy("user_id", "event_action")
        .agg(
            F.count(F.lit(1)).alias("occurrences"),
            F.count_if(_is_recent(processing_time)).alias("recent"),
        )
    )
    return by_action.groupBy("user_id").agg(
        F.nullif(F.sum("recent"), F.lit(0)).alias("u_count"),
        F.min(_popularity()).getField("event_action").alias("u_mp_ea"),
    )


def _is_recent(processing_time: datetime) -> Column:
    event_time = F.col("event_time")
    return (event_time >= F.lit(processing_time - WINDOW)) & (event_time < F.lit(processing_time))


def _popularity() -> Column:
    """A sort key: the most frequent action is the smallest; null for the null action.

    Spark compares strings by their UTF-8 bytes, which is the order of code points.
    """
    rank = (-F.col("occurrences")).alias("rank")
    return F.when(F.col("event_action").isNotNull(), F.struct(rank, F.col("event_action")))
