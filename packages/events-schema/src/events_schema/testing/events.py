"""Strategies for events: Kafka records, valid posted events and invalid ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from events_schema.column import columns
from events_schema.contract import Contract
from events_schema.models.event import EventEnvelope
from events_schema.testing.values import (
    INVALID_EVENT_IDS,
    INVALID_VALUES,
    event_ids,
    int32s,
    json_values,
    rfc3339,
    texts,
    times,
    values,
)

REQUIRED_FIELDS = ("user_id", "app_name", "event_category")


def own_values(contract: Contract[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Values of the contract's own columns, often null."""
    return st.fixed_dictionaries(
        {column.name: st.none() | values(column.type) for column in contract.own_columns}
    )


def event_envelopes(contract: Contract[Any]) -> st.SearchStrategy[EventEnvelope]:
    """Any valid record of `contract`, over the whole range of every field."""
    return st.builds(
        lambda own, **fields: contract.envelope(**fields, **own),
        own_values(contract),
        event_id=event_ids(),
        received_time=times(),
        event_time=times(),
        user_id=int32s(),
        app_name=texts(),
        event_action=st.none() | texts(),
        event_category=texts(),
        event_value=st.none() | int32s(),
    )


@st.composite
def posted_events(
    draw: st.DrawFn,
    contract: Contract[Any],
    event_times: st.SearchStrategy[datetime] | None = None,
) -> dict[str, Any]:
    """A valid event as a client posts it: the members of a JSON object.

    Optional members are absent, null or present. A present `event_time` is drawn from
    `event_times` (default: the last hour) and written in some time zone.
    """
    now = datetime.now(UTC)
    body: dict[str, Any] = {
        "user_id": draw(int32s()),
        "app_name": draw(texts()),
        "event_category": draw(texts()),
    }
    optional: dict[str, st.SearchStrategy[Any]] = {
        "event_action": st.none() | texts(),
        "event_value": st.none() | int32s(),
        "event_time": st.none()
        | rfc3339(times(now - timedelta(hours=1), now) if event_times is None else event_times),
        "event_id": st.none() | event_ids(),
        **{column.name: st.none() | json_values(column.type) for column in contract.own_columns},
    }
    for field in draw(st.lists(st.sampled_from(list(optional)), unique=True)):
        body[field] = draw(optional[field])
    return body


def _invalid_values(contract: Contract[Any]) -> dict[str, st.SearchStrategy[Any]]:
    wrong: dict[str, st.SearchStrategy[Any]] = {
        column.name: st.sampled_from(INVALID_VALUES[column.type])
        for column in columns(contract.posted)
        if column.name != "event_id"
    }
    return {
        **{name: each | st.none() if name in REQUIRED_FIELDS else each
           for name, each in wrong.items()},
        "event_id": st.sampled_from(INVALID_EVENT_IDS),
        "unknown": st.none() | st.just(1),
        "event_ID": event_ids(),
    }  # fmt: skip


@st.composite
def invalid_posted_events(draw: st.DrawFn, contract: Contract[Any]) -> tuple[dict[str, Any], str]:
    """A posted event with one invalid field, as the members of a JSON object, and its name."""
    body = draw(posted_events(contract))
    invalid = _invalid_values(contract)
    field = draw(st.sampled_from(sorted(invalid)))
    if field in REQUIRED_FIELDS and draw(st.booleans()):
        del body[field]
    else:
        body[field] = draw(invalid[field])
    return body, field
