"""The collector under abuse and faults, with a real process, a real broker and counted events.

`hatch run campaign collector` runs the long forms, CI the short ones.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.collector.http_load import Result, http_request, load
from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.waiting import wait_until
from events_schema import Contract
from events_schema.testing import bodies
from ingest_support.collector_app import VALID, collector, post
from ingest_support.collector_process import CollectorProcess, running_collector
from ingest_support.contracts import CONTRACT, SHOP
from line_support.topics import Topics

pytestmark = pytest.mark.extended

LONG = bool(os.environ.get("EVENTS_CAMPAIGN"))
BACK_SECONDS = 10 if LONG else 30
"""How soon it must answer 200 again; longer if other tests run at the same time."""
TRACK = http_request("/track", json.dumps(VALID).encode())
MEMORY_LIMIT = 300 * 1024 * 1024


@contextmanager
def running(broker: LocalBroker, folder: Path, *flags: str) -> Iterator[CollectorProcess]:
    """A collector with its own topic that accepts events from anyone."""
    topic = f"topic-{uuid.uuid4()}"
    with running_collector(
        broker.bootstrap, topic, folder, "--allow-anonymous", *flags
    ) as collector:
        yield collector


@dataclass
class Acknowledged:
    """Collects the ids of events that were answered 200."""

    ids: list[str] = field(default_factory=list)

    def __call__(self, _: int, status: int, body: bytes) -> None:
        """Evaluate an answer."""
        if status == 200:
            said = json.loads(body)
            self.ids += said.get("event_ids") or [said["event_id"]]
        elif status == 503:  # of a batch, some events may have been acknowledged
            self.ids += [each["event_id"] for each in json.loads(body).get("acknowledged", [])]


def offer(target: CollectorProcess, requests: list[bytes], **options: Any) -> Result:
    """Load the collector."""
    return asyncio.run(load("127.0.0.1", target.port, requests, **options))


def missing(topics: Topics, target: CollectorProcess, acknowledged: Acknowledged) -> set[str]:
    """The acknowledged events that are not on the topic."""
    on_topic = {CONTRACT.decode(value).event_id for value in topics.values(target.topic)}
    return set(acknowledged.ids) - on_topic


class _Peak:
    """The most memory that a process used, as the kernel counts it."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.bytes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.bytes = max(self.bytes, self._process.memory_info().rss)


def worst_requests() -> list[bytes]:
    """The most expensive bodies for a collector, with valid events among them."""
    encoded = {"Content-Encoding": "gzip"}
    empty_lists = b"[" + b"[[]]," * 690_000 + b"1]"
    keys = b",".join(b'"%x":1' % n for n in range(350_000))
    small_and_wrong = b"[" + b",".join([b'{"user_id":"' + b"x" * 1900 + b'"}'] * 2000) + b"]"
    unknown = b'{"a":{' + b",".join(b'"%x":{}' % n for n in range(3000)) + b"}}"
    nested = b'{"user_id":' + b"[[[[" * 7 + b"]]]]" * 7 + b',"x":' + b"[{}," * 0 + b"1}"
    batch = json.dumps([VALID] * 500).encode()
    return [
        *[TRACK] * 20,
        *[http_request("/batch", batch)] * 4,
        http_request("/batch", gzip.compress(empty_lists), headers=encoded),
        http_request("/batch", empty_lists[:1_000_000] + b"1]"),
        http_request("/batch", gzip.compress(b"[{" + keys + b"}]"), headers=encoded),
        http_request("/batch", gzip.compress(b'{"events":{' + keys + b"}}"), headers=encoded),
        http_request("/batch", gzip.compress(b" " * 400_000_000), headers=encoded),
        http_request("/batch", gzip.compress(small_and_wrong), headers=encoded),
        http_request(
            "/batch", gzip.compress(b"[" + b",".join([unknown] * 120) + b"]"), headers=encoded
        ),
        http_request("/track", b"[[]]," * 6000),
        http_request("/track", unknown),
        http_request("/track", nested),
        http_request("/track", b"{" + keys[:700_000] + b"}"),
    ]


def test_overload_is_survived(broker: LocalBroker, topics: Topics, tmp_path: Path) -> None:
    """At 4 times its capacity with the worst bodies, memory stays bounded and no event is lost."""
    acknowledged = Acknowledged()
    requests = worst_requests()
    seconds = 600 if LONG else 12
    with running(broker, tmp_path) as target:
        capacity = offer(target, requests, connections=16, seconds=4, on_answer=acknowledged).rate
        with _Peak(target.process.pid) as peak:
            # fmt: off
            result = offer(
                target, requests, connections=256, seconds=seconds, rate=4 * capacity,
                on_answer=acknowledged,
            )
            # fmt: on
        assert peak.bytes < MEMORY_LIMIT
        assert set(result.statuses) <= {200, 400, 413, 422, 429, 503}, result.statuses
        assert result.statuses[200] > 0
        assert offer(target, [TRACK], connections=4, seconds=0.5).statuses.keys() == {200}
        assert missing(topics, target, acknowledged) == set()


def test_a_killed_broker_costs_no_acknowledged_event(
    broker: LocalBroker, topics: Topics, tmp_path: Path
) -> None:
    """kill -9 of Kafka under load loses no acknowledged event, and it soon answers 200 again."""
    acknowledged = Acknowledged()
    over = threading.Event()
    statuses: Counter[int] = Counter()

    def keep_posting(target: CollectorProcess) -> None:
        while not over.is_set():
            offered = offer(target, [TRACK], connections=32, seconds=1, on_answer=acknowledged)
            statuses.update(offered.statuses)

    with running(broker, tmp_path, "--ack-timeout", "2") as target, ThreadPoolExecutor(1) as pool:
        posting = pool.submit(keep_posting, target)
        try:
            for turn in range(5 if LONG else 1):
                before = len(acknowledged.ids)
                wait_until(lambda n=before: len(acknowledged.ids) > n + 500, "load", seconds=60)  # type: ignore[misc]
                broker.kill()
                absent_until = time.monotonic() + (0 if turn % 2 else 8)  # beyond each time-out
                wait_until(lambda t=absent_until: time.monotonic() > t, "time", seconds=60)  # type: ignore[misc]
                wait_until(lambda: not target.ready(), "503", seconds=60)
                broker.start()
                back = len(acknowledged.ids)
                wait_until(lambda n=back: len(acknowledged.ids) > n, "a 200", seconds=BACK_SECONDS)  # type: ignore[misc]
        except BaseException:
            broker.start()  # for the other tests
            raise
        finally:
            over.set()
        posting.result()
        assert target.process.poll() is None
        assert statuses.keys() <= {200, 503}, statuses
        assert missing(topics, target, acknowledged) == set()


@pytest.mark.parametrize("turn", range(20 if LONG else 1))
@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_costs_no_acknowledged_event(
    broker: LocalBroker, topics: Topics, tmp_path: Path, workers: int, turn: int
) -> None:
    """SIGTERM under load ends it with exit code 0, and every acknowledged event is on the topic."""
    acknowledged = Acknowledged()
    requests = [TRACK, TRACK, http_request("/batch", json.dumps([VALID] * 50).encode())]
    flags = ["--workers", str(workers)] if workers > 1 else []
    with running(broker, tmp_path, *flags) as target, ThreadPoolExecutor(1) as pool:
        # fmt: off
        posting = pool.submit(
            offer, target, requests, connections=32, seconds=3, on_answer=acknowledged
        )
        # fmt: on
        wanted = 500 + 97 * turn
        wait_until(lambda: len(acknowledged.ids) > wanted, "load", seconds=60)
        target.process.send_signal(signal.SIGTERM)
        assert target.process.wait(60) == 0, target.log.read_text()
        result = posting.result()
        assert result.statuses.keys() <= {200, 0}
        assert result.statuses[0] <= 32  # at most one dropped connection per client
        assert missing(topics, target, acknowledged) == set()


def test_a_healthy_client_is_served_beside_bad_ones(broker: LocalBroker, tmp_path: Path) -> None:
    """Thousands of idle, slow, half-closed and garbled connections do not stop a healthy client."""
    flags = ["--header-timeout", "5", "--body-timeout", "5"]
    with running(broker, tmp_path, *flags) as target, ExitStack() as stack:

        def connect() -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", target.port), timeout=30)
            return stack.enter_context(connection)

        for _ in range(2000):
            connect()
        slow = [(connect(), start) for start in (b"POST /track HTTP/1.1\r\n", TRACK[:-10]) * 50]
        for connection, start in slow:
            connection.sendall(start)
        for garbage in (b"\x00" * 1000, b"GET / HTTP/1.1\r\n" + b"x" * 200_000, TRACK[:30]) * 20:
            bad = connect()
            try:
                bad.sendall(garbage)
                bad.shutdown(socket.SHUT_WR)
            except (ConnectionResetError, BrokenPipeError, OSError):
                continue  # already refused
        with httpx.Client(base_url=target.url, timeout=30) as client:
            for turn in range(100):
                assert client.post("/track", json=VALID).status_code == 200
                for connection, _ in slow[turn::100]:
                    try:
                        connection.sendall(b"x")
                    except (ConnectionResetError, BrokenPipeError):
                        continue  # already closed
        statuses = offer(target, [TRACK], connections=16, seconds=0.5).statuses
        assert statuses.keys() == {200}


@settings(
    max_examples=20_000 if LONG else 2_000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    st.tuples(st.just(CONTRACT), bodies(CONTRACT)) | st.tuples(st.just(SHOP), bodies(SHOP)),
    st.sampled_from(["/track", "/batch"]),
    st.sampled_from([None, None, "text/plain", "application/x-ndjson"]),
    st.sampled_from([None, None, None, "gzip", "deflate", "br", "zstd"]),
)
def test_no_body_is_answered_500(
    case: tuple[Contract[Any], bytes], path: str, media_type: str | None, encoding: str | None
) -> None:
    """Valid, nearly valid and random bodies of any declared type get 200 or 4xx."""
    headers = {"Content-Type": media_type or "application/json"}
    if encoding:
        headers["Content-Encoding"] = encoding
    contract, body = case
    response = post(_APPS[contract], body, path, headers=headers)
    assert response.status_code in (200, 400, 413, 415, 422), response.text
    assert ("error" in response.json()) == (response.status_code != 200)


_APPS = {contract: collector(contract=contract) for contract in (CONTRACT, SHOP)}
