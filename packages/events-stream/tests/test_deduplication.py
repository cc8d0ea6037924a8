"""Marking duplicates, against the obvious definition."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from events_stream.deduplication import mark_duplicates

IDS = st.sampled_from("abcdef")


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    batch=st.lists(st.tuples(IDS, st.integers(0, 3)), max_size=30),
    stored=st.none() | st.lists(IDS, max_size=10),
)
def test_the_first_copy_of_what_is_not_stored_yet_is_kept(
    spark: SparkSession, batch: list[tuple[str, int]], stored: list[str] | None
) -> None:
    """One row of each id that the table lacks: the first received, then the lowest offset."""
    rows = [(event_id, time, offset) for offset, (event_id, time) in enumerate(batch)]
    events = spark.createDataFrame(rows, "event_id STRING, time INT, offset INT").select(
        "event_id", "offset", F.struct("time", "offset").alias("_order")
    )
    ids = None
    if stored is not None:
        ids = spark.createDataFrame([(event_id,) for event_id in stored], "event_id STRING")
    marked = mark_duplicates(events, ids).collect()
    assert len(marked) == len(batch)
    first: dict[str, tuple[int, int]] = {}
    for event_id, time, offset in rows:
        if event_id not in (stored or []):
            first[event_id] = min(first.get(event_id, (time, offset)), (time, offset))
    kept = {row["event_id"]: row["offset"] for row in marked if not row["is_duplicate"]}
    assert kept == {event_id: offset for event_id, (_, offset) in first.items()}
