"""The collector's HTTP server: uvicorn with its own way to listen and to stop."""

from __future__ import annotations

import contextlib
import math
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import parent_process
from types import FrameType

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from events_ingest.server.app import create_app
from events_ingest.server.protocol import CollectorProtocol
from events_ingest.settings import ServeSettings
from events_ingest.telemetry.metrics import EventMetrics, all_workers
from events_schema.runtime.errors import AddressUnavailable
from events_schema.runtime.exposition import serving_metrics

_BACKLOG = 2048
_MARGIN_SECONDS = 5
_START_SECONDS = 30.0


class CollectorServer(uvicorn.Server):
    """A server that listens as soon as it is constructed, and stops in order on a signal.

    Run it with `run()`, `await serve()` or `in_thread()`. On SIGTERM and SIGINT it stops
    accepting connections, answers requests in flight and returns. A worker process gets the
    listening `sockets` of its parent, and stops if the parent exits. Raises `AddressUnavailable`
    and the errors of `create_app`.
    """

    def __init__(
        self,
        settings: ServeSettings,
        app: Starlette | None = None,
        sockets: list[socket.socket] | None = None,
    ) -> None:
        application = app or create_app(settings)
        metrics: EventMetrics | None = getattr(application.state, "metrics", None)
        self._settings = settings
        self._metrics = metrics
        self._listening = sockets or listen(settings.host, settings.port)
        self._parent = parent_process() if sockets else None
        in_flight = settings.body_timeout + settings.ack_timeout + _MARGIN_SECONDS
        super().__init__(
            uvicorn.Config(
                application,
                http=partial(CollectorProtocol, settings=settings, metrics=metrics),  # type: ignore[arg-type]
                loop="uvloop",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(in_flight),
            )
        )
        raise_open_files()

    @property
    def url(self) -> str:
        """The URL on which it listens, with the actual port if the system chose it."""
        return address_url(self._listening[0])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop in order; uvicorn would raise the signal again, with exit code -15."""
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Check the deadlines of connections every second, and whether the parent still runs."""
        if counter % 10 == 0:
            now = time.monotonic()
            for connection in tuple(self.server_state.connections):
                connection.check_deadlines(now)  # type: ignore[union-attr]
        if self._parent is not None and not self._parent.is_alive():
            return True
        return await super().on_tick(counter)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal or `should_exit`."""
        with contextlib.ExitStack() as stack:
            for each in self._listening:
                stack.enter_context(each)
            if self._parent is None:  # otherwise the parent serves the metrics
                own = self._metrics.registry if self._metrics else CollectorRegistry()
                own = all_workers(own)
                host, port = self._settings.host, self._settings.metrics_port
                stack.enter_context(serving_metrics(own, host, port))
            await super().serve(sockets or self._listening)

    @contextmanager
    def in_thread(self) -> Iterator[str]:
        """Serve in a thread during the context; yield the URL."""
        thread = threading.Thread(target=self.run, name="collector")
        thread.start()
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not self.started and thread.is_alive() and time.monotonic() < deadline:
                time.sleep(0.01)
            if not self.started:
                raise AddressUnavailable("the collector did not start; see its log for the reason")
            yield self.url
        finally:
            self.should_exit = True
            thread.join()


def raise_open_files() -> None:
    """Raise the limit on open files, and so on connections, to the system's maximum."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on `port` of every address of `host`. Raises `AddressUnavailable`."""
    listening: list[socket.socket] = []
    try:
        for family, _, _, _, address in _addresses(host, port):
            listening.append(socket.create_server(address, family=family, backlog=_BACKLOG))
    except OSError as error:
        for each in listening:
            each.close()
        reason = str(error.strerror).partition(" (")[0]  # Python repeats the address there
        raise AddressUnavailable(
            f"cannot listen on {host}:{port}: {reason}; give another --host or --port"
        ) from None
    return listening


def _addresses(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(found))  # type: ignore[arg-type]


def address_url(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
