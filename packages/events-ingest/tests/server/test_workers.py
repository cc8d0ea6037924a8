"""Several workers as a process tree, with a real broker."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from events_ingest import ServeSettings
from events_ingest.cli import main
from events_ingest.server.app import create_authentication
from events_loadgen.processes.broker import LocalBroker
from events_loadgen.processes.ports import free_port
from events_loadgen.processes.waiting import wait_until
from ingest_support.collector_app import VALID
from line_support.processes import wait_until_ended


class Workers:
    """A collector with two workers."""

    def __init__(self, broker: LocalBroker, folder: Path) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        # fmt: off
        command = [
            sys.executable, "-m", "events_ingest", "serve", "--brokers", broker.bootstrap,
            "--topic", f"topic-{uuid.uuid4()}", "--port", str(self.port), "--allow-anonymous",
            "--workers", "2", "--metrics-port", str(self.metrics_port),
        ]
        # fmt: on
        self.log = folder / "collector.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command, stderr=output, start_new_session=True)

    def workers(self) -> list[psutil.Process]:
        """The worker processes: all children except Python's resource tracker."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in _command(child)]

    def posts(self) -> bool:
        """Whether an event is accepted over a new connection."""
        try:
            url = f"http://127.0.0.1:{self.port}/track"
            return httpx.post(url, json=VALID, timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    def reached(self) -> int:
        """How many workers have logged that they reach Kafka."""
        return self.log.read_text().count("broker reachable")

    def accepted(self) -> float:
        """How many events the metrics show."""
        text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics").text
        found = re.search(
            r'^events_ingest_events_total{outcome="accepted"} (\S+)', text, re.MULTILINE
        )
        return float(found[1]) if found else 0.0


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return ""


@contextmanager
def running(broker: LocalBroker, folder: Path) -> Iterator[Workers]:
    """Two workers that have just been started."""
    started = Workers(broker, folder)
    tree: list[psutil.Process] = []
    try:
        wait_until(lambda: len(started.workers()) == 2, "two workers", seconds=60)
        tree = psutil.Process(started.process.pid).children(recursive=True)
        yield started
    finally:
        for each in tree:
            if each.is_running():
                each.kill()
        started.process.kill()
        started.process.wait()


def test_workers_count_together_and_are_replaced(broker: LocalBroker, tmp_path: Path) -> None:
    """Metrics count all workers; a killed worker is replaced; Ctrl-C stops all."""
    with running(broker, tmp_path) as collector:
        wait_until(lambda: collector.reached() == 2, "Kafka reached by both", seconds=60)
        before = collector.accepted()
        assert sum(collector.posts() for _ in range(40)) == 40
        assert collector.accepted() == before + 40

        first, second = collector.workers()
        first.kill()
        wait_until(
            lambda: {each.pid for each in collector.workers()} - {first.pid, second.pid} != set(),
            "another worker",
            seconds=60,
        )
        wait_until(collector.posts, "an event taken", seconds=60)
        assert collector.accepted() > before + 40

        workers = collector.workers()
        os.killpg(collector.process.pid, signal.SIGINT)
        os.killpg(collector.process.pid, signal.SIGINT)
        assert collector.process.wait(60) == 0, collector.log.read_text()
        wait_until_ended(workers)


@pytest.mark.parametrize("serving", [False, True])
def test_workers_end_with_their_parent(
    broker: LocalBroker, tmp_path: Path, *, serving: bool
) -> None:
    """No worker outlives a killed parent, even if it has only just started."""
    with running(broker, tmp_path) as collector:
        if serving:
            wait_until(collector.posts, "an event taken", seconds=60)
        workers = collector.workers()
        collector.process.kill()
        wait_until_ended(workers)


def test_a_metrics_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A metrics port that is in use ends the command with 3 and one line."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        flags = ["--allow-anonymous", "--port", "0", "--metrics-port", str(port)]
        assert main(["serve", *flags]) == 3
    assert "--metrics-port" in capsys.readouterr().err.splitlines()[-1]


def test_limits_of_all_are_shared_among_workers() -> None:
    """Each of four workers allows a key a quarter of its rate."""
    settings = ServeSettings(token="key", max_rate=0.4, workers=4, max_connections=1000)
    access = create_authentication(settings).authenticate([b"key"], None)
    assert access
    assert access.rate
    assert access.rate.take() == 0
    assert 5 < access.rate.take() <= 10  # seconds: a tenth of a request in each
    assert settings.per_worker(settings.max_connections) == 250
