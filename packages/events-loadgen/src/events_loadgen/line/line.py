"""The parts of the line as processes on this machine."""

from __future__ import annotations

import http.client
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.ports import free_port
from events_schema import Contract
from events_schema.runtime.contract import ContractSettings

TOPIC = "events"

# For short jobs with few rows, on a machine that also runs everything else. Measured: half the
# time that Spark's defaults take.
_SMALL_JOB = (
    "--conf", "spark.driver.extraJavaOptions=-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "--conf", "spark.sql.shuffle.partitions=2",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """The folders and ports of one line, and how to start each part."""

    folder: Path
    bootstrap: str
    contract: Contract[Any]
    contract_flags: Sequence[str]
    """The flags that make each part load `contract`."""
    topic: str = TOPIC
    kafka_settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    """How the collector and the stream connect to Kafka, besides the address, by setting."""
    collector_port: int = field(default_factory=free_port)
    stats_port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)

    @property
    def raw(self) -> Path:
        """The raw table."""
        return self.folder / "raw"

    @property
    def enriched(self) -> Path:
        """The enriched table."""
        return self.folder / "enriched"

    @property
    def logs(self) -> Path:
        """The folder with the output of the child processes."""
        return self.folder / "logs"

    @property
    def url(self) -> str:
        """The collector's address."""
        return f"http://127.0.0.1:{self.collector_port}"

    @property
    def demo_url(self) -> str:
        """The collector's demo page, which shows what happens to its events."""
        return f"{self.url}/demo"

    @property
    def stats_url(self) -> str:
        """Where the demo page gets the numbers of stored events."""
        return f"http://127.0.0.1:{self.stats_port}/stats"

    @property
    def page_origins(self) -> list[str]:
        """The origins of the collector's pages."""
        return [f"http://{host}:{self.collector_port}" for host in ("127.0.0.1", "localhost")]

    def start_collector(self, *, demo: bool) -> ChildProcess:
        """Start the collector. Its keys are passed in the environment, because `ps` shows flags."""
        return self._start(
            "events_ingest", "serve", "--brokers", self.bootstrap, "--topic", self.topic,
            "--host", "127.0.0.1", "--port", str(self.collector_port),
            *(("--demo", "--demo-stats", self.stats_url) if demo else ()),
            environment={
                **self._kafka("EVENTS_INGEST"),
                "EVENTS_INGEST_TOKEN": self.token,
                "EVENTS_INGEST_PUBLIC_KEY": " ".join(("pk_demo", *self.page_origins)),
            },
        )  # fmt: skip

    def collector_ready(self) -> bool:
        """Return whether the collector reports that it can write to Kafka."""
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.collector_port, timeout=5)
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == HTTPStatus.OK
            finally:
                connection.close()
        return False

    def curl(self) -> str:
        """Return a shell command that posts an event."""
        return (
            f"curl -i -H 'X-Token: {self.token}' -H 'Content-Type: application/json' "
            """-d '{"user_id": 1, "app_name": "product_1", "event_category": "category_1"}' """
            f"{self.url}/track"
        )

    def start_stream(self) -> ChildProcess:
        """Start the stream. The topic must exist."""
        return self._start(
            "events_stream", "run", "--brokers", self.bootstrap, "--topic", self.topic,
            "--target", str(self.raw), "--checkpoint", str(self.folder / "checkpoint"),
            "--trigger", "1 second", *_SMALL_JOB, environment=self._kafka("EVENTS_STREAM"),
        )  # fmt: skip

    def start_aggregation(self) -> ChildProcess:
        """Start the aggregation, which exits when it is done."""
        return self._start(
            "events_analytics", "run", "--source", str(self.raw),
            "--target", str(self.enriched), *_SMALL_JOB,
        )  # fmt: skip

    def start_check(self) -> ChildProcess:
        """Start the check, which verifies and prints the result, then exits."""
        return self._start(
            "events_analytics", "check", "--source", str(self.raw),
            "--target", str(self.enriched), *_SMALL_JOB,
        )  # fmt: skip

    def _kafka(self, prefix: str) -> dict[str, str]:
        return {f"{prefix}_{name.upper()}": text for name, text in self.kafka_settings.items()}

    def _start(
        self, module: str, verb: str, *flags: str, environment: dict[str, str] | None = None
    ) -> ChildProcess:
        # -P: a file in the current folder must not shadow a module.
        return ChildProcess(
            f"{module.replace('_', '-')} {verb}",
            [sys.executable, "-P", "-m", module, verb, *flags, *self.contract_flags],
            log=self.logs / f"{module.replace('_', '-')}-{verb}.log",
            environment=environment,
        )


def contract_flags(settings: ContractSettings) -> list[str]:
    """Return the flags that make each part of the line load the contract of `settings`.

    They are always passed, so that an environment variable cannot select another contract.
    """
    unreleased = ["--allow-unreleased"] if settings.allow_unreleased else []
    return ["--contract", settings.contract_name, *unreleased]
