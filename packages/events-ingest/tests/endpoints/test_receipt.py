"""What the collector adds to an event, and the window that its time must lie in."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_ingest.endpoints.receipt import OutsideWindow, receive
from events_ingest.limits import Window
from events_schema import EventEnvelope, PostedEvent
from events_schema.event import EARLIEST_TIME, LATEST_TIME
from events_schema.testing import MICROSECOND, times

RECEIVED = datetime(2026, 1, 31, 12, tzinfo=UTC)
WINDOW = Window(back=timedelta(days=7), ahead=timedelta(minutes=5))
EDGES = [RECEIVED - WINDOW.back, RECEIVED + WINDOW.ahead]


def event(event_time: datetime | None, event_id: str | None = None) -> PostedEvent:
    """An event of that time."""
    return PostedEvent(
        event_id=event_id, event_time=event_time, user_id=1, app_name="a", event_category="c"
    )


near = st.sampled_from([edge + n * MICROSECOND for edge in EDGES for n in (-1, 0, 1)])
shifts = st.timedeltas(timedelta(days=-30), timedelta(days=30)) | st.sampled_from(
    [timedelta(0), EARLIEST_TIME - LATEST_TIME, LATEST_TIME - EARLIEST_TIME]
)


@given(near | times(RECEIVED - timedelta(days=40), RECEIVED + timedelta(days=40)), shifts)
def test_a_time_is_moved_before_the_window_is_checked(time: datetime, shift: timedelta) -> None:
    """A time that lies within the window once it is moved is taken as moved, edges included."""
    try:
        moved = time + shift
    except OverflowError:
        moved = None
    if moved is not None and EDGES[0] <= moved <= EDGES[1]:
        assert receive(event(time), WINDOW, RECEIVED, shift)["event_time"] == moved
    else:
        with pytest.raises(OutsideWindow) as refused:
            receive(event(time), WINDOW, RECEIVED, shift)
        assert [each["field"] for each in refused.value.errors] == ["event_time"]


@given(shifts)
def test_an_event_without_a_time_has_that_of_its_receipt(shift: timedelta) -> None:
    """The collector's own clock is right, whatever the client's says."""
    assert receive(event(None), WINDOW, RECEIVED, shift)["event_time"] == RECEIVED


@pytest.mark.parametrize("event_id", [None, str(uuid.UUID(int=7))])
def test_what_is_received_is_an_envelope(event_id: str | None) -> None:
    """The members are those of the contract's envelope; an id that was given is kept."""
    members = receive(event(RECEIVED, event_id), WINDOW, RECEIVED)

    assert EventEnvelope.model_validate(members).model_dump() == members
    assert event_id in (None, members["event_id"])
