"""Clients that post events until each is acknowledged, and remember what they sent."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from queue import Empty, SimpleQueue
from random import Random
from typing import Any, NamedTuple, Self
from uuid import UUID

import httpx
from hypothesis import strategies as st

from events_schema.testing import posted_events, rfc3339, times
from stream_support.contracts import CONTRACT

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BATCH_EVENTS = 25
AGAIN = 0.1
"""The share of requests with an event that was acknowledged before."""
RETRY_SECONDS = 0.3
STOP_SECONDS = 60.0


class Sent(NamedTuple):
    """The six fields of an event as sent; the time in microseconds, or None if left out."""

    event_time: int | None
    user_id: int
    app_name: str
    event_action: str | None
    event_category: str
    event_value: int | None

    @classmethod
    def from_posted(cls, body: Mapping[str, Any]) -> Sent:
        """Return the fields of the JSON object `body`."""
        fields = {name: body.get(name) for name in cls._fields}
        if fields["event_time"] is not None:
            instant = datetime.fromisoformat(str(fields["event_time"]))
            fields["event_time"] = (instant - EPOCH) // MICROSECOND
        return cls(**fields)  # type: ignore[arg-type]

    def as_posted(self, event_id: str) -> dict[str, Any]:
        """Return the JSON object again, with this id."""
        fields: dict[str, Any] = {**self._asdict(), "event_id": event_id}
        if self.event_time is not None:
            fields["event_time"] = (EPOCH + self.event_time * MICROSECOND).isoformat()
        return {name: value for name, value in fields.items() if value is not None}


def recent_events() -> st.SearchStrategy[dict[str, Any]]:
    """Events of the last hour, or without a time, which the collector then sets."""
    return posted_events(CONTRACT)


def old_events(days: int) -> st.SearchStrategy[dict[str, Any]]:
    """Events from `days` days ago, or up to one day earlier."""
    latest = datetime.now(UTC) - timedelta(days=days)
    instants = times(latest - timedelta(days=1), latest)
    return st.builds(
        lambda event, instant: {**event, "event_time": instant},
        posted_events(CONTRACT),
        rfc3339(instants),
    )


class Sender:
    """Posts events like `templates` to a collector, each with a unique id and `user_id`.

    One client posts single events, another one posts batches. Both retry each request until it
    is acknowledged, and sometimes post an event twice.
    """

    def __init__(self, url: str, templates: Sequence[Mapping[str, Any]], seed: int) -> None:
        self.sent: dict[str, Sent] = {}
        """The sent events by id; each is added before it is posted."""
        self.acknowledged: set[str] = set()
        self.tries_again = 0
        self._url = url
        self._templates = templates
        self._seed = seed
        self._users = count()
        self._asked = SimpleQueue[str]()
        self._over, self._giving_up = threading.Event(), threading.Event()
        self._threads = ThreadPoolExecutor(2)
        self._clients: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._clients = [
            self._threads.submit(self._post_for_ever, "/track", 1, 0.05),
            self._threads.submit(self._post_for_ever, "/batch", BATCH_EVENTS, 0.25),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._giving_up.set()
        self._threads.shutdown()

    def check(self) -> None:
        """Raise the error of a client that failed, if any."""
        for client in self._clients:
            if client.done():
                client.result()

    def stop(self) -> None:
        """Stop sending, and wait until everything that was sent is acknowledged."""
        self._over.set()
        for client in self._clients:
            client.result(STOP_SECONDS)

    def post_again(self, event_ids: Iterable[str]) -> None:
        """Post events again soon that were sent before."""
        for event_id in event_ids:
            self._asked.put(event_id)

    def has_posted_again(self) -> bool:
        """Return whether each event that should be posted again has been taken by a client."""
        self.check()
        return self._asked.empty()

    def _post_for_ever(self, path: str, most: int, pause: float) -> None:
        random = Random(f"{self._seed}{path}")  # noqa: S311  # repeatable on purpose
        earlier: deque[dict[str, Any]] = deque(maxlen=500)
        with httpx.Client(base_url=self._url, timeout=30) as client:
            while not self._over.wait(pause * 2 * random.random()):
                events = self._new_events(random, random.randint(1, most))
                if earlier and random.random() < AGAIN:
                    events = [*events[1:], random.choice(earlier)]
                if random.random() < AGAIN:
                    events.append(events[0])
                with suppress(Empty):
                    while True:
                        event_id = self._asked.get_nowait()
                        events.append(self.sent[event_id].as_posted(event_id))
                if most == 1:
                    for event in events:
                        self._post(client, path, event)
                else:
                    self._post(client, path, events)
                earlier.extend(events)

    def _new_events(self, random: Random, number: int) -> list[dict[str, Any]]:
        template = random.choice(self._templates)  # one per request, for few days
        events = []
        for _ in range(number):
            event_id = str(UUID(int=random.getrandbits(128), version=4))
            events.append({**template, "event_id": event_id, "user_id": next(self._users)})
        return events

    def _post(self, client: httpx.Client, path: str, body: Any) -> None:
        for event in body if isinstance(body, list) else [body]:
            self.sent[event["event_id"]] = Sent.from_posted(event)
        content = json.dumps(body)
        while not self._giving_up.is_set():
            if self._try(client, path, content):
                return
            self.tries_again += 1
            self._giving_up.wait(RETRY_SECONDS)

    def _try(self, client: httpx.Client, path: str, content: str) -> bool:
        """Post once; return whether everything is acknowledged."""
        headers = {"Content-Type": "application/json"}
        try:
            response = client.post(path, content=content, headers=headers)
        except httpx.TransportError:
            return False
        said = response.json()
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self.acknowledged.update(each["event_id"] for each in said.get("acknowledged", []))
            return False
        assert response.status_code == httpx.codes.OK, response.text
        assert not said.get("rejected"), response.text
        self.acknowledged.update(said.get("event_ids") or [said["event_id"]])
        return True
