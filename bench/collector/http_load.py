"""Generates HTTP load: closed loop for throughput, open loop for latency and overload.

It runs in one process. Requests are prepared as bytes, so that it is not the bottleneck.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import httptools

_TICK_SECONDS = 0.001
"""How often the open loop looks for due requests. uvloop counts whole milliseconds: it would round
half a millisecond to zero, and spin."""


@dataclass
class Result:
    """The answers by status (0: the connection broke), and the latency of each in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def answered(self) -> int:
        """How many requests got an answer."""
        return sum(self.statuses.values()) - self.statuses[0]

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the latency in seconds that `percent` percent of the answers do not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def http_request(
    path: str, body: bytes, *, method: str = "POST", headers: dict[str, str] | None = None
) -> bytes:
    """Return the bytes of a request."""
    lines = {"Host": "collector", "Content-Length": str(len(body)), **(headers or {})}
    if body and "Content-Type" not in lines:
        lines["Content-Type"] = "application/json"
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


OnAnswer = Callable[[int, int, bytes], None]
"""Gets the request's index, and the status and body of its answer."""


class _Connection(asyncio.Protocol):
    """A connection that sends one request at a time."""

    transport: asyncio.Transport

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._body = b""
        self._since = 0.0
        self._request = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not subclass it
        self._parser = httptools.HttpResponseParser(self)
        self._load.idle(self)

    def post(self, index: int, since: float) -> None:
        """Send a request that was due at `since`."""
        self._request, self._since, self._body = index, since, b""
        self.transport.write(self._load.requests[index])

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        index, self._request = self._request, -1
        status = self._parser.get_status_code()
        keep = self._parser.should_keep_alive()
        self._load.answered(index, status, self._body, time.perf_counter() - self._since)
        if keep:
            self._load.idle(self)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._request >= 0:
            self._load.answered(self._request, 0, b"", 0.0)
        self._load.lost()


class _Load:
    def __init__(
        self, host: str, port: int, requests: Sequence[bytes], on_answer: OnAnswer | None
    ) -> None:
        self.requests = requests
        self.result = Result()
        self._address = host, port
        self._on_answer = on_answer
        self._order: Iterator[int] = itertools.cycle(range(len(requests)))
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._open = 0
        self._over = False
        self._closed_loop = False
        self._connecting: set[asyncio.Task[None]] = set()

    async def run(self, connections: int, seconds: float, rate: float | None) -> Result:
        self._closed_loop = rate is None
        await asyncio.gather(*(self._connect() for _ in range(connections)))
        started = time.perf_counter()
        if rate is None:
            await asyncio.sleep(seconds)
        else:
            await self._offer(started, seconds, rate)
        self._over = True
        self.result.seconds = time.perf_counter() - started
        for connection in tuple(self._idle):
            connection.transport.close()
        deadline = time.perf_counter() + 30
        while self._open and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        return self.result

    async def _offer(self, started: float, seconds: float, rate: float) -> None:
        offered = 0
        while (now := time.perf_counter() - started) < seconds:
            wanted = int(now * rate)
            while offered < wanted:
                offered += 1
                self._due.append(started + offered / rate)
            self._send_due()
            await asyncio.sleep(_TICK_SECONDS)

    def _send_due(self) -> None:
        while self._due and self._idle:
            self._idle.popleft().post(next(self._order), self._due.popleft())

    async def _connect(self) -> None:
        host, port = self._address
        while not self._over:
            try:
                await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self), host, port
                )
            except OSError:
                await asyncio.sleep(0.05)
            else:
                self._open += 1
                return

    def idle(self, connection: _Connection) -> None:
        """Use an idle connection for the next request."""
        if self._over:
            connection.transport.close()
        elif self._closed_loop:
            connection.post(next(self._order), time.perf_counter())
        elif self._due:
            connection.post(next(self._order), self._due.popleft())
        else:
            self._idle.append(connection)

    def answered(self, index: int, status: int, body: bytes, seconds: float) -> None:
        """Record an answer."""
        self.result.statuses[status] += 1
        if status:
            self.result.latencies.append(seconds)
        if self._on_answer:
            self._on_answer(index, status, body)

    def lost(self) -> None:
        """Replace a lost connection."""
        self._open -= 1
        self._idle = deque(each for each in self._idle if not each.transport.is_closing())
        if not self._over:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)


async def load(
    host: str,
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    rate: float | None = None,
    on_answer: OnAnswer | None = None,
) -> Result:
    """Send `requests` repeatedly over `connections` connections for `seconds` seconds.

    Without `rate`, each connection sends its next request when the last is answered. With `rate`,
    requests are due at that rate per second, whether or not earlier ones are answered. Latency
    counts from the time a request was due.
    """
    return await _Load(host, port, requests, on_answer).run(connections, seconds, rate)
