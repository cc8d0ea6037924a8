"""Posts events to a collector until it acknowledges them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from pydantic_core import from_json, to_json

from events_loadgen.load.report import Report
from events_loadgen.load.retries import RetryPolicy, is_retriable, parse_retry_after

REQUEST_SECONDS = 30.0
STOP_SECONDS = 10.0
_SHOWN_CHARACTERS = 200
_OK = 200


async def post_events(
    events: Iterable[Mapping[str, Any]],
    *,
    url: str,
    token: str | None = None,
    concurrency: int = 10,
    think_time: float = 0.0,
    retries: RetryPolicy | None = None,
    keep_ids: bool = False,
    on_event: Callable[[], None] = lambda: None,
    stop: asyncio.Event | None = None,
) -> Report:
    """Post `events` to the collector at `url`. Each event must have an `event_id`.

    `concurrency` clients share the events; each pauses for `think_time` seconds after an event.
    `on_event` is called when an event is acknowledged, refused or given up. Once `stop` is set,
    no event is started or retried, and requests in flight get 10 seconds. A failure of the
    server does not raise an error: it is in the report. With `keep_ids`, the report lists the
    acknowledged ids.
    """
    posting = _Posting(
        iter(events),
        f"{url.rstrip('/')}/track",
        {"Content-Type": "application/json", **({"X-Token": token} if token else {})},
        think_time,
        retries or RetryPolicy(),
        keep_ids,
        on_event,
        stop or asyncio.Event(),
    )
    started = time.monotonic()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency),
        timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        await posting.run(session, concurrency)
    posting.report.seconds = time.monotonic() - started
    return posting.report


@dataclass
class _Posting:
    events: Iterator[Mapping[str, Any]]
    url: str
    headers: Mapping[str, str]
    think_time: float
    retries: RetryPolicy
    keep_ids: bool
    on_event: Callable[[], None]
    stop: asyncio.Event
    report: Report = field(default_factory=Report)

    async def run(self, session: aiohttp.ClientSession, concurrency: int) -> None:
        clients = asyncio.gather(*(self._client(session) for _ in range(concurrency)))
        stopping = asyncio.ensure_future(self.stop.wait())
        either: set[asyncio.Future[Any]] = {clients, stopping}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not clients.done():
                await asyncio.wait({clients}, timeout=STOP_SECONDS)
        finally:
            stopping.cancel()
            clients.cancel()
            with suppress(asyncio.CancelledError):
                await clients

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while not self.stop.is_set():
            event = next(self.events, None)
            if event is None:
                return
            fate_known = False
            try:
                fate_known = await self._post(session, event)
            finally:
                if not fate_known:
                    self.report.given_up += 1
                self.on_event()
            await self._rest(self.think_time)

    async def _post(self, session: aiohttp.ClientSession, event: Mapping[str, Any]) -> bool:
        """Try until the event is acknowledged or refused; return False if the time runs out."""
        body = to_json(event)
        started = time.monotonic()
        tries = 0
        while True:
            tries += 1
            wait = await self._try(session, event, body, started)
            if wait is None:
                return True
            pause = self.retries.wait(tries, wait)
            if time.monotonic() + pause > started + self.retries.give_up_after:
                return False
            await self._rest(pause)
            if self.stop.is_set():
                return False
            self.report.retries += 1

    async def _try(
        self,
        session: aiohttp.ClientSession,
        event: Mapping[str, Any],
        body: bytes,
        started: float,
    ) -> float | None:
        """Return None if the server acknowledged or refused; else the wait that it asks for."""
        try:
            async with session.post(
                self.url, data=body, headers=self.headers, allow_redirects=False
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.report.last_failure = f"{type(error).__name__} {error}".strip()
            return 0.0
        if is_retriable(response.status):
            self.report.last_failure = f"status {response.status}"
            return parse_retry_after(response.headers.get("Retry-After"))
        event_id = str(event["event_id"])
        if response.status == _OK and _acknowledges(answer, event_id):
            self._count_acknowledged(event_id, time.monotonic() - started)
        else:
            self._count_refused(response.status, answer)
        return None

    def _count_acknowledged(self, event_id: str, latency: float) -> None:
        self.report.acknowledged += 1
        self.report.add_latency(latency)
        if self.keep_ids:
            self.report.acknowledged_ids.append(event_id)

    def _count_refused(self, status: int, answer: bytes) -> None:
        self.report.refused[status] += 1
        if self.report.first_refusal is None:
            text = " ".join(answer.decode("utf-8", "replace").split())
            self.report.first_refusal = f"{status} {text[:_SHOWN_CHARACTERS]}".strip()

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), seconds)


def _acknowledges(answer: bytes, event_id: str) -> bool:
    """Return whether a collector sent this answer: a 200 from a proxy proves nothing."""
    try:
        said = from_json(answer)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("event_id") == event_id
