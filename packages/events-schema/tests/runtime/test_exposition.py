"""Metrics over HTTP."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from events_schema.runtime.errors import AddressUnavailable
from events_schema.runtime.exposition import serving_metrics

HOST = "127.0.0.1"


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def counting(events: int) -> CollectorRegistry:
    """A registry with a counter of this value."""
    registry = CollectorRegistry()
    Counter("events", "Events.", registry=registry).inc(events)
    return registry


def test_the_metrics_are_served_until_the_context_ends() -> None:
    """The port serves the registry, and is free again afterwards."""
    port = free_port()
    for events in (3, 4):
        with serving_metrics(counting(events), HOST, port):
            answer = httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False)
        assert answer.status_code == 200
        assert f"events_total {events}.0" in answer.text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False)


def test_without_a_port_nothing_is_served() -> None:
    """Without a port no server starts, so there is no new thread."""
    before = threading.enumerate()
    with serving_metrics(CollectorRegistry(), HOST, None):
        assert threading.enumerate() == before


def test_a_taken_port_is_refused() -> None:
    """The error names the flag and the address, and has the exit code 3."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        expected = rf"^--metrics-port: cannot listen on {HOST}:{port}: "
        with (
            pytest.raises(AddressUnavailable, match=expected) as refused,
            serving_metrics(CollectorRegistry(), HOST, port),
        ):
            pass
    assert refused.value.exit_code == 3
