"""A collector that gives scripted answers and records the requests of pages."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPMethod
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from events_ingest import ServeSettings
from events_ingest.pages.tracker import tracker_script
from events_loadgen.processes.ports import free_port
from events_schema import Contract
from ingest_support.browser import Site, serving
from ingest_support.contracts import CONTRACT

Answer = Callable[[list[str]], Response]


@dataclass(frozen=True)
class Received:
    """A request as the collector received it."""

    events: list[dict[str, Any]]
    sent_at: datetime
    """The time of the page's clock."""
    size: int
    content_type: str
    query: dict[str, str]

    @property
    def ids(self) -> list[str]:
        """The ids of the events."""
        return [each["event_id"] for each in self.events]


@dataclass
class Collector:
    """Gives the answers of its script in order, and then accepts everything."""

    port: int = field(default_factory=free_port)
    script: list[Answer | None] = field(default_factory=list)
    """An answer of None means that there is no answer."""
    requests: list[Received] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    largest: int = 1_000_000
    """The most events that a batch may have."""
    contract: Contract[Any] = CONTRACT

    def __post_init__(self) -> None:
        self.site = Site(f"http://127.0.0.1:{self.port}")

    def app(self) -> Starlette:
        """Return the application."""
        script = tracker_script(ServeSettings(), self.contract)
        return Starlette(
            routes=[
                Route("/tracker.js", lambda _: Response(script, media_type="text/javascript")),
                Route("/batch", self._answer, methods=list(HTTPMethod)),
            ]
        )

    def gaps(self) -> list[float]:
        """The seconds between the requests, by the page's clock.

        A request that Chromium itself repeats at once after a 408 is not counted.
        """
        times = list(dict.fromkeys(each.sent_at for each in self.requests))
        return [(late - early).total_seconds() for early, late in itertools.pairwise(times)]

    async def _answer(self, request: Request) -> Response:
        self.methods.add(request.method)
        body = await request.body()
        batch = json.loads(body)
        received = Received(
            batch["events"],
            datetime.fromisoformat(batch["sent_at"]),
            len(body),
            request.headers["Content-Type"],
            dict(request.query_params),
        )
        self.requests.append(received)
        ids = received.ids
        answer = self.script.pop(0) if self.script else take
        while answer is None:
            if await request.is_disconnected():
                return Response()
            await asyncio.sleep(0.02)
        response = refuse(413)(ids) if len(ids) > self.largest else answer(ids)
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        return response


def take(ids: list[str], rejected: int = 0) -> Response:
    """Accept a batch except its first events."""
    wrong = [{"field": "user_id", "message": "wrong"}]
    return JSONResponse(
        {
            "accepted": len(ids) - rejected,
            "event_ids": ids[rejected:],
            "rejected": [{"index": index, "errors": wrong} for index in range(rejected)],
        }
    )


def refuse(status: int, retry_after: str | None = None, acknowledged: int = 0) -> Answer:
    """Refuse a batch except its first events, which are acknowledged."""

    def answer(ids: list[str]) -> Response:
        content: dict[str, Any] = {"error": {"message": "no"}}
        if acknowledged:
            content["acknowledged"] = [{"event_id": each} for each in ids[:acknowledged]]
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return JSONResponse(content, status, headers)

    return answer


@contextmanager
def scripted_collector(contract: Contract[Any] = CONTRACT) -> Iterator[Collector]:
    """Serve a collector that accepts everything until a script is set."""
    collector = Collector(contract=contract)
    with serving(collector.app(), collector.port), collector.site.running():
        yield collector
