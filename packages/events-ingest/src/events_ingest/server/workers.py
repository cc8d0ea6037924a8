"""Worker processes that share one address.

uvicorn's supervisor (`Config(workers=)`) does not suffice. Its workers outlive a killed parent and
are plain `uvicorn.Server`s; a worker that cannot start stops all others; and it has no hook to
remove the metrics of a dead worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

import structlog
from prometheus_client import CollectorRegistry, multiprocess

from events_ingest.kafka.clients import client_options
from events_ingest.server.app import create_authentication
from events_ingest.server.server import CollectorServer, address_url, listen
from events_ingest.settings import ServeSettings
from events_ingest.telemetry.metrics import MULTIPROCESS_FOLDER, all_workers
from events_schema.runtime.command.logs import configure_logging
from events_schema.runtime.exposition import serving_metrics

log = structlog.get_logger()

_SHORT_LIFE_SECONDS = 5.0
_LOOK_SECONDS = 0.5


class Workers:
    """`--workers` processes, each with its own collector, on the same listening sockets.

    A worker that dies is replaced. On SIGTERM and SIGINT, all stop in order. Raises
    `AddressUnavailable` and the errors of `create_app`.
    """

    def __init__(self, settings: ServeSettings) -> None:
        settings.load_contract()  # an error is raised here, not in each worker
        create_authentication(settings)
        client_options(settings)
        self._settings = settings
        self._sockets = listen(settings.host, settings.port)
        self._processes: dict[SpawnProcess, float] = {}
        self._ending = False

    @property
    def url(self) -> str:
        """The URL on which they listen."""
        return address_url(self._sockets[0])

    def handle_exit(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop in order."""
        self._ending = True

    def run(self) -> None:
        """Serve until a signal."""
        with ExitStack() as stack:
            for each in self._sockets:
                stack.enter_context(each)
            # Before any worker starts, since its metrics are files in this folder from the start.
            os.environ[MULTIPROCESS_FOLDER] = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="events-ingest-metrics-")
            )
            stack.callback(os.environ.pop, MULTIPROCESS_FOLDER)
            all_metrics = all_workers(CollectorRegistry())
            stack.enter_context(
                serving_metrics(all_metrics, self._settings.host, self._settings.metrics_port)
            )
            for _ in range(self._settings.workers):
                self._start()
            while not self._ending:
                self._replace_dead(wait(self._sentinels(), timeout=_LOOK_SECONDS))
            self._end()

    def _sentinels(self) -> list[int]:
        return [process.sentinel for process in self._processes]

    def _start(self) -> None:
        process = multiprocessing.get_context("spawn").Process(
            target=serve_as_worker, args=(self._settings, self._sockets), name="collector"
        )
        process.start()
        self._processes[process] = time.monotonic()

    def _replace_dead(self, ended: Sequence[object]) -> None:
        for process, started in list(self._processes.items()):
            if process.sentinel not in ended or self._ending:
                continue
            process.join()
            del self._processes[process]
            assert process.pid is not None  # noqa: S101  # it was started
            multiprocess.mark_process_dead(process.pid)  # type: ignore[no-untyped-call]
            log.error("worker ended", pid=process.pid, exit_code=process.exitcode)
            if time.monotonic() - started < _SHORT_LIFE_SECONDS:
                time.sleep(1)  # do not restart a failing worker in a tight loop
            self._start()

    def _end(self) -> None:
        for each in self._sockets:
            each.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()


def serve_as_worker(settings: ServeSettings, sockets: list[socket.socket]) -> None:
    """Serve in a worker process until a signal, or until the parent exits."""
    configure_logging(settings.verbose)
    server = CollectorServer(settings, sockets=sockets)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    server.run()
