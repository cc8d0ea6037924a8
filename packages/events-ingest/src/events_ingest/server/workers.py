"""Several processes that serve one address.

uvicorn's own supervisor (`Config(workers=)`) does not do: its workers outlive a killed parent and
are plain `uvicorn.Server`s, one that cannot start ends them all, and it has no place to remove the
metrics of one that died.
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
    """`--workers` processes, each a collector of its own, on the same listening sockets.

    One that dies is replaced. On SIGTERM and SIGINT all end in order. Raises
    `AddressUnavailable`, and what `create_app` does.
    """

    def __init__(self, settings: ServeSettings) -> None:
        settings.load_contract()  # what is wrong with it shows here, not in each worker
        create_authentication(settings)
        client_options(settings)
        self._settings = settings
        self._sockets = listen(settings.host, settings.port)
        self._processes: dict[SpawnProcess, float] = {}
        self._ending = False

    @property
    def url(self) -> str:
        """Where they listen."""
        return address_url(self._sockets[0])

    def handle_exit(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop in order."""
        self._ending = True

    def run(self) -> None:
        """Serve until told to stop."""
        with ExitStack() as stack:
            for each in self._sockets:
                stack.enter_context(each)
            # Before any worker starts: what a worker counts is a file in it from the first.
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
                time.sleep(1)  # whatever it is that ends it, not as fast as we can
            self._start()

    def _end(self) -> None:
        for each in self._sockets:
            each.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()


def serve_as_worker(settings: ServeSettings, sockets: list[socket.socket]) -> None:
    """Serve in a process of its own until SIGTERM, or until the parent is no more."""
    configure_logging(settings.verbose)
    server = CollectorServer(settings, sockets=sockets)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    server.run()
