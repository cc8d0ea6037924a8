"""The stream notices that the clock was set back."""

from __future__ import annotations

import time

import pytest

from events_stream.run.clock import WallClock

HOUR = 3600.0


def test_a_clock_that_is_set_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It also notices if the clock was set forward before, provided it looked in between."""
    ahead = 0.0
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    clock = WallClock()
    assert not clock.was_set_back()
    ahead = HOUR
    assert not clock.was_set_back()
    ahead = 0
    assert clock.was_set_back()
    clock = WallClock()
    ahead = HOUR
    clock.look()
    ahead = 0
    assert clock.was_set_back()
