"""Runs Apache Kafka on this machine, without ZooKeeper or Docker."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from events_loadgen.errors import TooLate
from events_loadgen.processes.child import ChildProcess
from events_loadgen.processes.ports import answers, free_port
from events_loadgen.processes.waiting import Pause, wait_until
from events_schema.runtime.java.find import find_java
from events_schema.runtime.java.jars import resolve_jars

COORDINATES = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
START_SECONDS = 60.0
_FORMAT_SECONDS = 30.0

_JAVA_OPTIONS = (
    "-Xmx512m",
    # The process is short-lived: a quick start matters more than peak speed.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)

# A short heartbeat makes the start faster; a short session lets a killed broker rejoin sooner.
_PROPERTIES = """\
process.roles={roles}
node.id={node_id}
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners={listeners}
advertised.listeners={advertised}
controller.listener.names=CONTROLLER
log.dirs={log_folder}
auto.create.topics.enable=false
min.insync.replicas=1
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=4000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=4194304
"""


class LocalBroker:
    """One Kafka node (KRaft, broker and controller in one) as a child process.

    Its data and its log are in `folder`. If it is started again, it serves the same data on the
    same port (default: a free one). It calls `pause` to sleep while it waits. As a context manager
    it starts and stops. Start it from a thread that lives as long as the broker should: Linux kills
    it when that thread ends.

    `joins` makes it one more broker in the cluster of another node, which must be running; to add
    a third, join the second. `listeners` are additional listeners: name (such as SASL_SSL) to port.
    `properties` are added to server.properties, and `format_arguments` to the command that
    formats the storage; `java_options` are added to those of its Java.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        joins: LocalBroker | None = None,
        listeners: Mapping[str, int] = {},
        properties: Mapping[str, str] = {},
        format_arguments: Sequence[str] = (),
        java_options: Sequence[str] = (),
        pause: Pause = time.sleep,
    ) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.node_id: int = joins.node_id + 1 if joins else 1
        self.controller_port: int = joins.controller_port if joins else _other_port(self.port)
        self._joins = joins
        self._listeners = {"PLAINTEXT": self.port, **listeners}
        self._properties = properties
        self._format_arguments = format_arguments
        self._java_options = java_options
        self._pause = pause
        self._process: ChildProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """The address for clients, host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def cluster(self) -> str:
        """The id of the cluster, known after the first start."""
        lines = self._meta.read_text().split()
        return next(line for line in lines if line.startswith("cluster.id=")).partition("=")[2]

    @property
    def log(self) -> Path:
        """The file with the broker's warnings and errors."""
        return self.folder / "broker.log"

    def start(self) -> None:
        """Start the broker and wait until it answers Kafka requests.

        Raises `ChildFailed` and `TooLate` with the log's last lines, `JavaNotFound`, and
        `JarsNotResolved`.
        """
        self.launch()
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def launch(self) -> None:
        """Start the broker without waiting for it; format its storage if it is new."""
        self.stop()
        jars = resolve_jars(COORDINATES)
        properties = self._write_properties()
        if not self._meta.is_file():
            self._format(jars, properties)
        self._process = self._java(jars, "kafka.Kafka", str(properties))

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until the broker answers Kafka requests. Raises as `start` does."""
        try:
            wait_until(self._ready, "Kafka to answer", seconds=seconds, pause=self._pause)
        except TooLate as error:
            said = self._process.last_lines() if self._process else ""
            raise TooLate(f"{error}: {said or 'it logged nothing'} ({self.log})") from None

    def check(self) -> None:
        """Raise `ChildFailed` if the broker has exited."""
        if self._process:
            self._process.check()

    def stop(self) -> None:
        """Stop the broker cleanly, or kill it after 20 seconds. It can be started again."""
        if self._process:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """Kill the broker with SIGKILL, like a crash. It can be started again."""
        if self._process:
            self._process.kill()
            self._process = None

    def _ready(self) -> bool:
        self.check()
        if not answers(self.port):
            return False
        # In a thread: the caller may already run an event loop.
        with ThreadPoolExecutor(1) as thread:
            served = thread.submit(lambda: asyncio.run(_served_cluster(self.bootstrap))).result()
        # Another broker may already use the port; then this one exits in a moment.
        return served is not None and self.cluster == served[0] and self.node_id in served[1]

    @property
    def _meta(self) -> Path:
        """The file that Kafka writes when it formats the storage."""
        return self.folder / "data" / "meta.properties"

    def _write_properties(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "server.properties"
        advertised = [f"{name}://127.0.0.1:{port}" for name, port in self._listeners.items()]
        controller = [] if self._joins else [f"CONTROLLER://127.0.0.1:{self.controller_port}"]
        text = _PROPERTIES.format(
            roles="broker" if self._joins else "broker,controller",
            node_id=self.node_id,
            listeners=",".join(advertised + controller),
            advertised=",".join(advertised),
            controller_port=self.controller_port,
            log_folder=str(self.folder / "data").replace("\\", "\\\\"),
        )
        added = [f"{name}={value}\n" for name, value in self._properties.items()]
        path.write_text(text + "".join(added), "utf-8")
        return path

    def _format(self, jars: list[Path], properties: Path) -> None:
        cluster = self._joins.cluster if self._joins else _new_cluster()
        arguments = ("format", "--config", str(properties), "--cluster-id", cluster)
        tool = "kafka.tools.StorageTool"
        with self._java(jars, tool, *arguments, *self._format_arguments) as formatting:
            formatting.wait(seconds=_FORMAT_SECONDS, pause=self._pause)

    def _java(self, jars: list[Path], main: str, *arguments: str) -> ChildProcess:
        logging = resources.files("events_loadgen.processes") / "log4j2.properties"
        # fmt: off
        command = [
            str(find_java()), *_JAVA_OPTIONS, *self._java_options,
            f"-Dlog4j2.configurationFile={logging}",
            "-cp", ":".join(map(str, jars)), main, *arguments,
        ]
        # fmt: on
        return ChildProcess("Kafka", command, log=self.log)


def _other_port(taken: int) -> int:
    return next(port for port in iter(free_port, None) if port != taken)


def _new_cluster() -> str:
    # A Kafka id is 16 bytes. The first is fixed: an id that starts with a dash looks like a flag.
    return base64.urlsafe_b64encode(b"\x10" + secrets.token_bytes(15)).decode()[:22]


async def _served_cluster(bootstrap: str) -> tuple[str, list[int]] | None:
    """Return the cluster's id and its live brokers; None if Kafka does not answer."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        return str(cluster["cluster_id"]), [each["node_id"] for each in cluster["brokers"]]
    except (KafkaError, OSError):
        return None
    finally:
        await admin.close()
