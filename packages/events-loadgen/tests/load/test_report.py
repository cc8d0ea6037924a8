"""Tests of the report."""

from __future__ import annotations

from collections import Counter

import pytest

from events_loadgen import Report


def test_latencies_are_within_one_percent() -> None:
    """A percentile differs from the exact one by about 1 % at most."""
    report = Report()
    for milliseconds in range(1, 1001):
        report.add_latency(milliseconds / 1000)
    assert report.latency(50) == pytest.approx(0.5, rel=0.011)
    assert report.latency(99) == pytest.approx(0.99, rel=0.011)


def test_a_report_accounts_for_every_event() -> None:
    """The report shows acknowledged, refused and given-up events, retries and latency."""
    report = Report(
        acknowledged=10,
        refused=Counter({422: 2, 401: 1}),
        first_refusal="422 no",
        given_up=3,
        retries=7,
        last_failure="status 503",
        seconds=2,
    )
    report.add_latency(0.25)
    text = "\n".join(report.lines())
    for said in (
        "10 of 16 sent, 5/s",
        "2 with status 422",
        "1 with status 401",
        "first: 422 no",
        "given up      3",
        "7, last failure: status 503",
        "p99 249",
    ):
        assert said in text


def test_an_empty_report_has_no_latency() -> None:
    """Without acknowledgements, the report has no latency."""
    assert Report().latency(50) is None
    assert Report().lines() == ["acknowledged  0 of 0 sent, 0/s", "retries       0"]
