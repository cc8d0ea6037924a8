"""Strategies for histories of many events, and for tables of rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from events_schema.contract import Contract
from events_schema.enrichment import WINDOW
from events_schema.models.event import EventEnvelope
from events_schema.models.rows import StoredEvent
from events_schema.testing.events import own_values
from events_schema.testing.values import MICROSECOND, event_ids, int32s, texts, times


@st.composite
def histories(
    draw: st.DrawFn,
    contract: Contract[Any],
    processing_time: datetime,
    *,
    min_size: int = 1,
    max_size: int = 60,
    past: timedelta = timedelta(days=5),
    future: timedelta = timedelta(minutes=4),
) -> list[EventEnvelope]:
    """Records of few users and few actions around `processing_time`, `T`.

    Some times are the exact edges of the metric's window: `T - 3 h`, `T`, and a microsecond to
    either side. Actions are often equally frequent, and some records occur more than once.
    All are received at `T`.
    """
    edges = [processing_time - WINDOW, processing_time]
    near = [edge + step * MICROSECOND for edge in edges for step in (-1, 0, 1)]
    users = draw(st.lists(int32s(), min_size=1, max_size=4, unique=True))
    actions = draw(st.lists(texts(), min_size=1, max_size=3, unique=True))
    records = draw(
        st.lists(
            st.builds(
                lambda own, **fields: contract.envelope(**fields, **own),
                own_values(contract),
                event_id=event_ids(),
                received_time=st.just(processing_time),
                event_time=st.sampled_from(near)
                | times(processing_time - past, processing_time + future),
                user_id=st.sampled_from(users),
                app_name=texts(),
                event_action=st.none() | st.sampled_from(actions),
                event_category=texts(),
                event_value=st.none() | int32s(),
            ),
            min_size=min_size,
            max_size=max_size,
            unique_by=lambda record: UUID(record.event_id),
        )
    )
    again = draw(st.lists(st.sampled_from(records), max_size=10))
    return draw(st.permutations(records + again))


def raw_tables(
    contract: Contract[Any], processing_time: datetime
) -> st.SearchStrategy[list[StoredEvent]]:
    """Rows that another writer may have stored: a history in which any column may be null."""
    return histories(contract, processing_time).flatmap(
        lambda records: st.lists(
            st.sets(st.sampled_from(sorted(contract.stored.model_fields)), max_size=2),
            min_size=len(records),
            max_size=len(records),
        ).map(
            lambda gaps: [
                contract.stored.from_envelope(record).model_copy(update=dict.fromkeys(missing))
                for record, missing in zip(records, gaps, strict=True)
            ]
        )
    )


@st.composite
def repetitive_tables(
    draw: st.DrawFn, contract: Contract[Any], processing_time: datetime
) -> list[StoredEvent]:
    """Rows as from `raw_tables`, but with few products and categories."""
    names = st.sampled_from(draw(st.lists(texts(), min_size=1, max_size=5, unique=True)))
    return [
        row.model_copy(
            update={
                name: draw(names)
                for name in ("app_name", "event_category")
                if getattr(row, name) is not None
            }
        )
        for row in draw(raw_tables(contract, processing_time))
    ]
