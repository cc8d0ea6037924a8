"""Which of a batch's events the table holds already, by `event_id`."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def mark_duplicates(events: DataFrame, stored_ids: DataFrame | None) -> DataFrame:
    """Add `is_duplicate`: whether an `event_id` is in `stored_ids` or came earlier in `events`.

    `events` has `event_id` and `_order`; the first by `_order` is the one to store.
    `stored_ids` has the column `event_id`; None where the table holds nothing that matters.
    """
    first = Window.partitionBy("event_id").orderBy("_order")
    repeated = F.row_number().over(first) > 1
    if stored_ids is None:
        return events.withColumn("is_duplicate", repeated)
    known = stored_ids.select("event_id").distinct().withColumn("_stored", F.lit(True))
    return (
        events.join(known, on="event_id", how="left")
        .withColumn("is_duplicate", F.col("_stored").isNotNull() | repeated)
        .drop("_stored")
    )
