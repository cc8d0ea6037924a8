"""The definition of the two metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from events_schema import Contract, EnrichedEvent, Event, StoredEvent
from events_schema.testing import contracts, raw_tables

T = datetime(2026, 1, 31, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
CONTRACT = Contract(Event)


def stored(
    user: int | None = 1, action: str | None = None, time: datetime | None = T
) -> StoredEvent:
    """Return a row of the raw table."""
    return StoredEvent(
        event_time=time,
        user_id=user,
        app_name="shop",
        event_action=action,
        event_category="page",
        event_value=None,
        event_id=None,
        received_time=None,
    )


def metrics(*rows: StoredEvent) -> list[tuple[int | None, str | None]]:
    """Return the two metrics of each row."""
    return [(row.u_count, row.u_mp_ea) for row in CONTRACT.enrich(rows, T)]


def test_the_window_includes_its_start_and_excludes_its_end() -> None:
    """`T - 3 h` counts, but `T` and a microsecond before `T - 3 h` do not."""
    start = T - timedelta(hours=3)
    assert metrics(stored(time=start))[0][0] == 1
    assert metrics(stored(time=T - MICROSECOND))[0][0] == 1
    assert metrics(stored(time=T))[0][0] is None
    assert metrics(stored(time=start - MICROSECOND))[0][0] is None


def test_the_most_frequent_action_is_taken_from_all_the_data() -> None:
    """Events outside the window count for the action; rows without an action do not."""
    old = T - timedelta(days=300)
    rows = [stored(action="buy", time=old), stored(action="buy", time=old), stored(action="view")]
    assert {metric for _, metric in metrics(*rows, stored(), stored(), stored())} == {"buy"}


def test_ties_go_to_the_first_by_code_point() -> None:
    """Equal counts are ordered by Unicode code point, not by locale or UTF-16 unit."""
    assert metrics(stored(action="\U0001f600"), stored(action="\uffee"))[0][1] == "\uffee"
    assert metrics(stored(action="a"), stored(action="Z"))[0][1] == "Z"


def test_users_do_not_mix_and_rows_without_a_user_have_no_metrics() -> None:
    """Events without a user are kept, and count for no user."""
    now = T - MICROSECOND
    rows = [stored(1, "a", now), stored(2, "b", now), stored(None, "c", now)]
    assert metrics(*rows) == [(1, "a"), (1, "b"), (None, None)]


@given(st.data(), st.just(CONTRACT) | contracts())
def test_every_row_appears_once_with_all_columns_of_its_event(
    data: st.DataObject, contract: Contract[Event]
) -> None:
    """Each row appears once and is otherwise unchanged."""
    rows = data.draw(raw_tables(contract, T))
    enriched = contract.enrich(rows, T)
    assert [_event(row) for row in enriched] == [_event(row) for row in rows]


def _event(row: StoredEvent | EnrichedEvent) -> dict[str, object]:
    beyond = {"event_id", "received_time", "u_count", "u_mp_ea"}
    return row.model_dump(exclude=beyond)
