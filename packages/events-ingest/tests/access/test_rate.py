"""The rate limit of a key, with a clock that the tests control."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_ingest.access.rate import TokenBucket


class Clock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_a_second_s_worth_passes_at_once() -> None:
    """A new bucket allows one second's requests at once, and then returns the time to wait."""
    bucket = TokenBucket(4, Clock())

    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0]
    assert bucket.take() == 0.25


def test_after_the_wait_that_was_told_one_more_passes() -> None:
    """After waiting as long as told, exactly one more request passes."""
    clock = Clock()
    bucket = TokenBucket(2, clock)
    while not (wait := bucket.take()):
        pass

    clock.now += wait

    assert bucket.take() == 0
    assert bucket.take() > 0


def test_a_slow_rate_lets_one_request_through() -> None:
    """A rate below one per second allows one request, and the next after the full interval."""
    bucket = TokenBucket(0.1, Clock())

    assert bucket.take() == 0
    assert bucket.take() == pytest.approx(10)


def test_a_refused_request_costs_nothing() -> None:
    """A refused request does not delay the next one that passes."""
    clock = Clock()
    bucket = TokenBucket(1, clock)
    bucket.take()
    for _ in range(100):
        assert bucket.take() == 1

    clock.now += 1

    assert bucket.take() == 0


def test_a_token_that_is_given_back_can_be_taken_again() -> None:
    """A returned token allows one more request."""
    bucket = TokenBucket(1, Clock())
    bucket.take()
    bucket.give_back()

    assert bucket.take() == 0
    assert bucket.take() > 0


@given(
    st.floats(0.1, 50),
    st.lists(st.tuples(st.floats(0, 5), st.integers(0, 60)), max_size=20),
)
def test_no_more_pass_than_the_rate_and_the_burst(
    rate: float, rounds: list[tuple[float, int]]
) -> None:
    """However requests arrive, no more pass than one burst plus the rate times the time."""
    clock = Clock()
    bucket = TokenBucket(rate, clock)
    passed = 0
    for pause, requests in rounds:
        clock.now += pause
        passed += sum(bucket.take() == 0 for _ in range(requests))

        assert passed <= max(1, rate) + rate * (clock.now - 1000) + 1e-6
