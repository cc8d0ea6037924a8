"""How long a micro-batch rests before the next one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_schema.runtime.times import from_micros
from events_stream.run.pace import Pace
from events_stream.settings import RunSettings
from stream_support.envelopes import NOON

TIMES = st.integers(0, 4 * 10**15).map(from_micros)


@given(st.integers(1, 10**6), TIMES, st.floats(0, 10**7))
def test_the_next_batch_starts_on_the_trigger(seconds: int, planned: datetime, took: float) -> None:
    """It starts at the next multiple of the trigger, or at once if that has passed."""
    now = planned + timedelta(seconds=took)
    rest = Pace(seconds).rest(planned, now)
    assert 0 <= rest <= seconds
    start = now.timestamp() + rest
    if rest:
        assert min(start % seconds, seconds - start % seconds) < 1e-3
        assert planned.timestamp() < start <= planned.timestamp() + seconds + 1e-3
    else:
        assert now.timestamp() // seconds > planned.timestamp() // seconds - 1e-9


def test_a_clock_that_was_set_back_does_not_delay_the_next_batch() -> None:
    """It rests for at most one trigger."""
    assert Pace(60).rest(NOON, NOON - timedelta(hours=1)) == 60


@pytest.mark.parametrize(
    ("trigger", "seconds"),
    [("1 second", 1), ("90 seconds", 90), ("1 minute", 60), ("2 hours", 7200)],
)
def test_a_trigger_is_read_in_every_unit(trigger: str, seconds: int) -> None:
    """Seconds, minutes and hours, in the singular and the plural."""
    assert RunSettings(trigger=trigger).trigger_seconds == seconds
