"""A collector whose answers are a test's, one after the other, and what pages sent to it."""

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
    """A request, as the collector has it."""

    events: list[dict[str, Any]]
    sent_at: datetime
    """By the page's clock."""
    size: int
    content_type: str
    query: dict[str, str]

    @property
    def ids(self) -> list[str]:
        """The events' ids."""
        return [each["event_id"] for each in self.events]


@dataclass
class Collector:
    """Answers as its script says, one after the other; after its end it takes everything."""

    port: int = field(default_factory=free_port)
    script: list[Answer | None] = field(default_factory=list)
    """None is no answer."""
    requests: list[Received] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    largest: int = 1_000_000
    """How many events a batch may have."""
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
        """How many seconds of the page's clock lie between the requests.

        After a 408 Chromium itself sends the same request again, at once.
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
    """Take a batch, but for its first events."""
    wrong = [{"field": "user_id", "message": "wrong"}]
    return JSONResponse(
        {
            "accepted": len(ids) - rejected,
            "event_ids": ids[rejected:],
            "rejected": [{"index": index, "errors": wrong} for index in range(rejected)],
        }
    )


def refuse(status: int, retry_after: str | None = None, acknowledged: int = 0) -> Answer:
    """Refuse a batch, but for its first events, which are acknowledged."""

    def answer(ids: list[str]) -> Response:
        content: dict[str, Any] = {"error": {"message": "no"}}
        if acknowledged:
            content["acknowledged"] = [{"event_id": each} for each in ids[:acknowledged]]
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return JSONResponse(content, status, headers)

    return answer


@contextmanager
def scripted_collector(contract: Contract[Any] = CONTRACT) -> Iterator[Collector]:
    """Serve a collector that takes everything until it is told otherwise."""
    collector = Collector(contract=contract)
    with serving(collector.app(), collector.port), collector.site.running():
        yield collector
