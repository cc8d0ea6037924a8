"""Spark's metrics equal their definition in plain Python."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from events_analytics import enrich
from events_analytics.job.enrichment import user_metrics, with_metrics
from events_schema import Contract, EnrichedEvent, Event, StoredEvent, column_names
from events_schema.enrichment import WINDOW
from events_schema.spark import spark_schema
from events_schema.testing import raw_tables

CONTRACT = Contract(Event)
T = datetime(2026, 11, 24, 12, 0, 0, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def frame(spark: SparkSession, events: Sequence[StoredEvent]) -> DataFrame:
    """Return `events` as a DataFrame."""
    names = column_names(StoredEvent)
    rows = [tuple(getattr(event, name) for name in names) for event in events]
    return spark.createDataFrame(rows, spark_schema(StoredEvent))


def multiset(rows: DataFrame) -> Counter[tuple[object, ...]]:
    """Return the rows, with times as microseconds since 1970."""
    exact = rows.withColumn("event_time", F.unix_micros("event_time"))
    return Counter(tuple(row) for row in exact.collect())


def expected(
    events: Sequence[StoredEvent], processing_time: datetime, window: timedelta
) -> Counter[object]:
    """Return the rows of the definition, in the form of `multiset`."""
    return Counter(
        (
            None if event.event_time is None else (event.event_time - EPOCH) // MICROSECOND,
            *list(event.model_dump().values())[1:],
        )
        for event in CONTRACT.enrich(events, processing_time, window)
    )


def event(
    time: datetime = T, user: int | None = 1, action: str | None = None, number: int = 0
) -> StoredEvent:
    """Return a row with default values for most columns."""
    return StoredEvent(
        event_time=time,
        user_id=user,
        app_name="app",
        event_action=action,
        event_category="category",
        event_value=number,
        event_id=None,
        received_time=None,
    )


def metrics(
    spark: SparkSession, events: Sequence[StoredEvent], processing_time: datetime = T
) -> set[tuple[int | None, int | None, str | None]]:
    """Return the different (user_id, u_count, u_mp_ea)."""
    enriched = enrich(frame(spark, events), CONTRACT, processing_time)
    return {(row.user_id, row.u_count, row.u_mp_ea) for row in enriched.collect()}


@pytest.mark.extended
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=raw_tables(CONTRACT, T), choice=st.data())
def test_spark_equals_the_definition(
    spark: SparkSession, events: list[StoredEvent], choice: st.DataObject
) -> None:
    """For any history, Spark has the same rows as `Contract.enrich`, each equally often.

    It does not matter which actions have their own column: none, some, all or unused ones.
    """
    actions = sorted({"another", *(row.event_action for row in events if row.event_action)})
    frequent = choice.draw(st.lists(st.sampled_from(actions), unique=True))
    window = choice.draw(st.sampled_from([WINDOW, MICROSECOND, timedelta(days=30)]))
    rows = frame(spark, events)
    enriched = with_metrics(rows, CONTRACT, user_metrics(rows, T, window, frequent))
    assert multiset(enriched) == expected(events, T, window)


def test_the_columns_are_the_contract(spark: SparkSession) -> None:
    """The result has the eight columns in order, nullable and with the contract's types."""
    assert enrich(frame(spark, []), CONTRACT, T).schema == spark_schema(EnrichedEvent)


@pytest.mark.parametrize(
    ("offset", "count"),
    [
        (timedelta(hours=-3) - MICROSECOND, None),
        (timedelta(hours=-3), 1),
        (timedelta(hours=-3) + MICROSECOND, 1),
        (-MICROSECOND, 1),
        (timedelta(0), None),
        (MICROSECOND, None),
    ],
)
def test_the_window_is_exact(spark: SparkSession, offset: timedelta, count: int | None) -> None:
    """The window starts exactly 3 hours before the processing time and ends just before it."""
    assert metrics(spark, [event(T + offset)]) == {(1, count, None)}


@pytest.mark.parametrize(
    ("actions", "favourite"),
    [
        (["b", "a", "b", "a"], "a"),
        (["\uffff", "\U0001f600"], "\uffff"),
        (["e\u0301", "\u00e9"], "e\u0301"),
        (["a", "B"], "B"),
        (["aa", "a"], "a"),
        ([None, None, "z"], "z"),
        ([None], None),
    ],
)
def test_ties_go_to_the_first_code_point(
    spark: SparkSession, actions: list[str | None], favourite: str | None
) -> None:
    """Of equally frequent actions, the first by code point wins, and null never wins."""
    events = [event(T, action=action) for action in actions]
    assert metrics(spark, events) == {(1, None, favourite)}


def test_rows_without_a_user_keep_nulls(spark: SparkSession) -> None:
    """Rows without a user are kept without metrics, and count for no user."""
    events = [event(T - MICROSECOND, user, "a") for user in (None, None, 0)]
    assert metrics(spark, events) == {(None, None, None), (0, 1, "a")}
    assert enrich(frame(spark, events), CONTRACT, T).count() == 3


def test_the_processing_time_may_be_in_any_zone(spark: SparkSession) -> None:
    """The zone of the processing time does not change the result."""
    local = T.astimezone(timezone(timedelta(hours=13, minutes=45)))
    assert metrics(spark, [event(T - MICROSECOND), event(T)], local) == {(1, 1, None)}
