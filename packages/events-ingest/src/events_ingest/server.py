"""The collector's HTTP server: uvicorn, but for how it listens and how it stops."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from events_ingest.app import create_app
from events_ingest.errors import AddressUnavailable
from events_ingest.settings import ServeSettings

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75
_MARGIN_SECONDS = 5
_START_SECONDS = 30.0


class CollectorServer(uvicorn.Server):
    """A server that listens from its construction on and ends in order on a signal.

    Run it with `run()`, `await serve()` or `in_thread()`. On SIGTERM and SIGINT it stops
    accepting, answers what is in flight and returns. Raises `AddressUnavailable`.
    """

    def __init__(self, settings: ServeSettings, app: Starlette | None = None) -> None:
        application = app or create_app(settings)
        self._listening = listen(settings.host, settings.port)
        in_flight = settings.body_timeout + settings.ack_timeout + _MARGIN_SECONDS
        super().__init__(
            uvicorn.Config(
                application,
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=math.ceil(in_flight),
            )
        )

    @property
    def url(self) -> str:
        """Where it listens, also where the port was left to the system."""
        return address_url(self._listening[0])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop in order. uvicorn would end by the signal itself, with exit code -15."""
        self.should_exit = True

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        await super().serve(sockets or self._listening)

    @contextmanager
    def in_thread(self) -> Iterator[str]:
        """Serve in a thread for as long as the context; give the URL."""
        thread = threading.Thread(target=self.run, name="collector")
        thread.start()
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not self.started and thread.is_alive() and time.monotonic() < deadline:
                time.sleep(0.01)
            if not self.started:
                raise AddressUnavailable("the collector did not start; its log says why")
            yield self.url
        finally:
            self.should_exit = True
            thread.join()


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
