"""Tests of when a client retries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events_loadgen import RetryPolicy
from events_loadgen.load.retries import is_retriable, parse_retry_after


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_temporary_failures_are_retriable(status: int) -> None:
    """A timeout, a rate limit and every server error may pass, so they are retried."""
    assert is_retriable(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 413, 415, 422])
def test_permanent_refusals_are_not_retriable(status: int) -> None:
    """A request that would get the same answer again is not retried."""
    assert not is_retriable(status)


@given(st.integers(1, 10_000), st.floats(0, 1000))
def test_a_wait_respects_the_server_and_the_policy(tries: int, retry_after: float) -> None:
    """A wait is at least what the server asks for, plus at most `longest_wait`."""
    wait = RetryPolicy(longest_wait=5).wait(tries, retry_after)
    assert retry_after < wait <= retry_after + 5


def test_waits_grow_and_differ() -> None:
    """Waits grow with each try, and differ between clients."""
    policy = RetryPolicy(first_wait=1, longest_wait=1000)
    assert policy.wait(1) <= 1
    assert policy.wait(4) >= 4
    assert len({policy.wait(4) for _ in range(10)}) > 1


@pytest.mark.parametrize("value", [None, "", "soon", "-1", "1.5", "²", "Fri, 99 Foo"])
def test_an_invalid_retry_after_is_ignored(value: str | None) -> None:
    """A missing or invalid header counts as 0 seconds."""
    assert parse_retry_after(value) == 0


def test_retry_after_holds_seconds_or_a_date() -> None:
    """Both forms of RFC 9110 are read; a date in the past counts as 0 seconds."""
    assert parse_retry_after("17") == 17
    soon = datetime.now(UTC) + timedelta(seconds=60)
    assert 50 < parse_retry_after(format_datetime(soon, usegmt=True)) <= 60
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 -0000") == 0
