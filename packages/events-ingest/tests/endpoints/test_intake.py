"""What the collector adds to an event, and the window for its time."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_ingest.endpoints.intake import Intake, OutsideWindow
from events_ingest.limits import EventTimeWindow
from events_ingest.telemetry.metrics import EventMetrics
from events_schema.models.types import EARLIEST_TIME, LATEST_TIME
from events_schema.testing import MICROSECOND, times
from ingest_support.collector_app import VALID, RecordingProducer
from ingest_support.contracts import CONTRACT

RECEIVED = datetime(2026, 1, 31, 12, tzinfo=UTC)
WINDOW = EventTimeWindow(back=timedelta(days=7), ahead=timedelta(minutes=5))
EDGES = [RECEIVED - WINDOW.back, RECEIVED + WINDOW.ahead]


INTAKE = Intake(CONTRACT, RecordingProducer(), EventMetrics(), WINDOW)


def event(event_time: datetime | None, **others: object) -> bytes:
    """The JSON of an event with this time."""
    time = event_time and event_time.isoformat()
    return json.dumps({**VALID, "event_time": time, **others}).encode()


near = st.sampled_from([edge + n * MICROSECOND for edge in EDGES for n in (-1, 0, 1)])
shifts = st.timedeltas(timedelta(days=-30), timedelta(days=30)) | st.sampled_from(
    [timedelta(0), EARLIEST_TIME - LATEST_TIME, LATEST_TIME - EARLIEST_TIME]
)


@given(near | times(RECEIVED - timedelta(days=40), RECEIVED + timedelta(days=40)), shifts)
def test_a_time_is_moved_before_the_window_is_checked(time: datetime, shift: timedelta) -> None:
    """A time is moved first and must then be within the window, edges included."""
    try:
        moved = time + shift
    except OverflowError:
        moved = None
    if moved is not None and EDGES[0] <= moved <= EDGES[1]:
        value, _ = INTAKE.record(event(time), RECEIVED, shift)
        assert CONTRACT.decode(value).event_time == moved
    else:
        with pytest.raises(OutsideWindow) as refused:
            INTAKE.record(event(time), RECEIVED, shift)
        assert [each["field"] for each in refused.value.errors] == ["event_time"]


@given(shifts)
def test_an_event_without_a_time_has_that_of_its_receipt(shift: timedelta) -> None:
    """An event without a time gets the collector's time, whatever the client's clock says."""
    value, _ = INTAKE.record(event(None), RECEIVED, shift)

    assert CONTRACT.decode(value).event_time == RECEIVED


@pytest.mark.parametrize("event_id", [None, str(uuid.UUID(int=7))])
@pytest.mark.parametrize("others", [{}, {"event_action": "view", "event_value": 7}])
def test_a_record_holds_the_receipt(event_id: str | None, others: dict[str, object]) -> None:
    """The record has the event's fields, its id and the time of receipt, and nothing else."""
    event_time = RECEIVED - timedelta(hours=1)
    value, returned_id = INTAKE.record(event(event_time, event_id=event_id, **others), RECEIVED)

    receipt = {"event_id": returned_id, "received_time": RECEIVED}
    expected = {**receipt, **VALID, "event_time": event_time, **others}
    assert CONTRACT.decode(value) == CONTRACT.envelope.model_validate(expected)
    assert event_id in (None, returned_id)
