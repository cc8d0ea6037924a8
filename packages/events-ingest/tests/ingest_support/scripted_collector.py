"""A collector whose answers are a test's, one after the other, and what pages sent to it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPMethod
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from events_ingest.limits import EventTimeWindow
from events_ingest.pages.tracker import tracker_script
from events_loadgen.processes.ports import free_port
from ingest_support.browser import Site, serving

Answer = Callable[[list[str]], Response]


@dataclass(frozen=True)
class Received:
    """A request, as the collector has it."""

    ids: list[str]
    sent_at: datetime
    """By the page's clock."""
    size: int
    content_type: str
    query: dict[str, str]


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

    def __post_init__(self) -> None:
        self.site = Site(f"http://127.0.0.1:{self.port}")

    def app(self) -> Starlette:
        """Return the application."""
        script = tracker_script(EventTimeWindow(timedelta(days=7), timedelta(minutes=5)))
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
        ids = [each["event_id"] for each in batch["events"]]
        self.requests.append(
            Received(
                ids,
                datetime.fromisoformat(batch["sent_at"]),
                len(body),
                request.headers["Content-Type"],
                dict(request.query_params),
            )
        )
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
def scripted_collector() -> Iterator[Collector]:
    """Serve a collector that takes everything until it is told otherwise."""
    collector = Collector()
    with serving(collector.app(), collector.port), collector.site.running():
        yield collector
