"""Serves what is stored so far as JSON over HTTP, for the collector's demo page."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

import uvicorn
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from events_loadgen.line.line import Line
from events_loadgen.line.query import count_stored, read_enriched
from events_loadgen.processes.waiting import wait_until
from events_schema import EventsError

_LATEST = 10
_FRESH_SECONDS = 1.0
_START_SECONDS = 30.0


@dataclass
class Stats:
    """The numbers of `line`. They are read at most once a second."""

    line: Line
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _read_at: float = float("-inf")
    _content: bytes = b""

    def content(self) -> bytes:
        """Return `{"raw": {rows, events}, "enriched": {rows, latest: [...]}}`."""
        with self._lock:
            if time.monotonic() > self._read_at + _FRESH_SECONDS:
                self._content = to_json(self._read())
                self._read_at = time.monotonic()
            return self._content

    def _read(self) -> dict[str, Any]:
        line = self.line
        return {
            "raw": asdict(count_stored(line.raw, line.contract)),
            "enriched": asdict(read_enriched(line.enriched, line.contract, _LATEST)),
        }


@contextmanager
def serve_stats(line: Line) -> Iterator[None]:
    """Serve the numbers at `line.stats_url` to pages of its collector, inside the `with` block."""
    stats = Stats(line)

    def show(_: Request) -> Response:
        try:
            return Response(stats.content(), media_type="application/json")
        except EventsError:
            return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)

    app = Starlette(
        routes=[Route("/stats", show)],
        middleware=[Middleware(CORSMiddleware, allow_origins=line.page_origins)],
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=line.stats_port, lifespan="off", log_config=None,
            access_log=False,
        )
    )  # fmt: skip
    thread = threading.Thread(target=server.run, name="stats", daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "the server of the numbers", seconds=_START_SECONDS)
        yield
    finally:
        server.should_exit = True
        thread.join()
