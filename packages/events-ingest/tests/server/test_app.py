"""The application as a whole: paths, lifespan and readiness."""

from __future__ import annotations

import asyncio

import pytest

from ingest_support.collector_app import (
    VALID,
    FailingProducer,
    RecordingProducer,
    ask,
    collector,
    error_of,
    post,
)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/track", 405), ("GET", "/", 404), ("POST", "/track/", 404)],
)
def test_other_paths_and_methods_are_answered_in_the_same_shape(
    method: str, path: str, status: int
) -> None:
    """404 and 405 have the same format as every other error."""
    response = ask(collector(), method, path)

    assert response.status_code == status
    assert error_of(response)["retryable"] is False


def test_a_defect_is_answered_500_in_the_same_shape() -> None:
    """An unexpected exception is answered 500 without its text."""
    response = post(collector(FailingProducer(RuntimeError("inner workings"))), VALID)

    assert response.status_code == 500
    assert error_of(response)["retryable"] is True
    assert "inner workings" not in response.text


def test_readiness_follows_kafka_and_liveness_does_not() -> None:
    """Without Kafka `/readyz` is 503 and `/livez` is 200."""
    away, there = collector(RecordingProducer(ready=False)), collector()

    assert ask(away, "GET", "/readyz").status_code == 503
    assert ask(away, "GET", "/livez").status_code == 200
    assert ask(there, "GET", "/readyz").status_code == 200
    assert ask(there, "GET", "/livez").status_code == 200


def test_the_lifespan_starts_and_stops_the_producer() -> None:
    """The producer starts and stops with the application."""
    producer = RecordingProducer()
    app = collector(producer)

    async def live() -> None:
        async with app.router.lifespan_context(app):
            assert producer.running

    asyncio.run(live())
    assert not producer.running
