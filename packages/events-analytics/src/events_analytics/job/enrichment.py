"""The two metrics of each user, as Spark transforms with the same results as `Contract.enrich`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from events_schema import Contract, column_names
from events_schema.enrichment import WINDOW


def enrich(
    events: DataFrame,
    contract: Contract[Any],
    processing_time: datetime,
    window: timedelta = WINDOW,
) -> DataFrame:
    """Return each row of the raw table once, with its user's metrics: rows of `contract.enriched`.

    `processing_time` must have a zone. `Contract.enrich` defines the metrics.
    """
    return with_metrics(events, contract, user_metrics(events, processing_time, window))


def with_metrics(events: DataFrame, contract: Contract[Any], metrics: DataFrame) -> DataFrame:
    """Return `events`, each joined with its user's `metrics`: rows of `contract.enriched`."""
    # In a join, a null user_id does not match any other, so the metrics of such rows are null.
    enriched = events.join(metrics, on="user_id", how="left")
    return enriched.select(*column_names(contract.enriched))


def user_metrics(
    events: DataFrame,
    processing_time: datetime,
    window: timedelta = WINDOW,
    frequent_actions: Sequence[str] = (),
) -> DataFrame:
    """Return one row per user, with the columns of `UserMetrics`.

    `frequent_actions` affect only the speed. Each of them is counted in its own column, and all
    other actions in one row per user and action. Well chosen, they halve the time, most of which
    is spent on looking up groups in memory. Grouping by the other actions first splits a user with
    very many events over several tasks.
    """
    action = F.col("event_action")
    counts = [f"count_{number}" for number in range(len(frequent_actions))]
    partly = (
        events.where(F.col("user_id").isNotNull())
        .groupBy("user_id", _other_action(frequent_actions).alias("other_action"))
        .agg(
            F.count(F.lit(1)).alias("occurrences"),
            F.count_if(_is_recent(processing_time, window)).alias("recent"),
            *(
                F.count_if(action == each).alias(name)
                for name, each in zip(counts, frequent_actions, strict=True)
            ),
        )
    )
    other = F.when(
        F.col("other_action").isNotNull(), _candidate(F.col("occurrences"), F.col("other_action"))
    )
    by_user = partly.groupBy("user_id").agg(
        F.sum("recent").alias("recent"),
        F.min(other).alias("other"),
        *(F.sum(name).alias(name) for name in counts),
    )
    candidates = [
        F.when(F.col(name) > 0, _candidate(F.col(name), F.lit(each)))
        for name, each in zip(counts, frequent_actions, strict=True)
    ]
    first = F.least(F.col("other"), *candidates) if candidates else F.col("other")
    return by_user.select(
        "user_id",
        F.nullif(F.col("recent"), F.lit(0)).alias("u_count"),
        first.getField("action").alias("u_mp_ea"),
    )


def _is_recent(processing_time: datetime, window: timedelta) -> Column:
    event_time = F.col("event_time")
    return (event_time >= F.lit(processing_time - window)) & (event_time < F.lit(processing_time))


def _other_action(frequent_actions: Sequence[str]) -> Column:
    """Return the action if it is not one of `frequent_actions`, otherwise null."""
    action = F.col("event_action")
    return F.when(~action.isin(*frequent_actions), action) if frequent_actions else action


def _candidate(occurrences: Column, action: Column) -> Column:
    """Return a sort key that is smallest for the most frequent action.

    Spark compares strings by their UTF-8 bytes, which gives the order of code points.
    """
    return F.struct((-occurrences).alias("rank"), action.alias("action"))
