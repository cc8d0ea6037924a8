"""Tests that the examples work unchanged: a service that publishes, and one that consumes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.ports import answers, free_port
from events_loadgen.processes.waiting import wait_until
from events_schema import load_contract
from events_schema.evolution.check import check_contract
from line_support.topics import Topics

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_LINES = 60


@contextmanager
def running(topics: Topics, topic: str, log: Path, *words: str) -> Iterator[ChildProcess]:
    """Run an example as a process inside the `with` block."""
    environment = {"BROKERS": topics.bootstrap, "TOPIC": topic, "PYTHONPATH": str(EXAMPLES)}
    with ChildProcess(log.stem, [sys.executable, *words], log=log, environment=environment) as it:
        yield it


def test_what_one_example_publishes_the_other_consumes(topics: Topics, tmp_path: Path) -> None:
    """An event goes from the service through Kafka to the consumer; an invalid one is refused."""
    topic, port = topics.create(), free_port()
    url = f"http://127.0.0.1:{port}/orders"
    event = {"user_id": 1, "app_name": "acme", "event_category": "order", "plan": "pro"}
    with (
        running(topics, topic, tmp_path / "publish.log", "-m", "uvicorn", "publish:app", "--port",
                str(port)),
        running(topics, topic, tmp_path / "consume.log", str(EXAMPLES / "consume.py")) as consumer,
    ):  # fmt: skip
        wait_until(lambda: answers(port), "the service to start", seconds=60)
        published = httpx.post(url, json={**event, "price": 9.5}, timeout=30)
        refused = httpx.post(url, json={**event, "price": "9.5"}, timeout=30)
        assert published.status_code == HTTPStatus.OK, published.text
        event_id = published.json()["event_id"]
        expected = f"{event_id} pro 9.5"
        topics.produce(topic, [b"garbage"])
        wait_until(lambda: expected in consumer.output(), "the event", seconds=60)
        wait_until(
            lambda: "is not an event: not_single_object" in consumer.output(),
            "the other record",
            seconds=60,
        )
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert refused.json() == {"error": "price: Input should be a valid number"}


def test_the_example_s_contract_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example's contract is released, and matches its release."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    assert check_contract(load_contract("acme_events:AcmeEvent"), allow_unreleased=False).fits


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short(path: Path) -> None:
    """An example is short enough to read at a glance: under 60 lines."""
    assert len(path.read_text().splitlines()) < MOST_LINES
