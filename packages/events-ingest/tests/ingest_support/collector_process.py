"""The collector as a separate process, which can be killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from events_loadgen.processes.ports import free_port
from events_loadgen.processes.waiting import wait_until


@dataclass(frozen=True)
class CollectorProcess:
    """A running collector."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    topic: str

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        """Whether it reports that it accepts events."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=30).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running_collector(
    brokers: str, topic: str, folder: Path, *flags: str, port: int | None = None
) -> Iterator[CollectorProcess]:
    """Run a collector; the context starts when it is ready and ends with kill -9."""
    port, log = port or free_port(), folder / "collector.log"
    # fmt: off
    command = [
        sys.executable, "-m", "events_ingest", "serve", "--brokers", brokers, "--topic", topic,
        "--port", str(port), "--access-log", "0", *flags,
    ]
    # fmt: on
    with log.open("wb") as output:
        process = subprocess.Popen(command, stderr=output)
    try:
        started = CollectorProcess(process, port, log, topic)
        wait_until(started.ready, "a ready collector", seconds=60)
        yield started
    finally:
        process.kill()
        process.wait()
