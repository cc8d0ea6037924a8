"""The fast lane: answers a plain `POST /track` that arrived complete without an asyncio task.

It saves what the application costs besides the event itself: an asyncio task, the ASGI messages,
the middleware and the routing.

It accepts only requests that are certainly valid and leaves all others to the application, which
reports what is wrong. So errors are made in one place; a test checks that the two agree.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.responses import Response

from events_ingest.endpoints.admission import Admission
from events_ingest.endpoints.intake import Intake, OutsideWindow
from events_ingest.errors import ProducerError
from events_ingest.http.cors import Cors
from events_ingest.http.head import RequestHead
from events_ingest.http.responses import ApiError
from events_ingest.telemetry.access_log import AccessLog
from events_schema import InvalidEvent, MalformedJson

FAST_LANE = "fast_lane"
"""The key in the application's state under which the protocol finds the fast lane."""

PATH = "/track"
_PLAIN_TYPES = frozenset((None, b"application/json", b"text/plain", b"text/plain;charset=UTF-8"))

Headers = Iterable[tuple[bytes, bytes]]


class Taken:
    """A request whose event is being sent; `acknowledged` is shared, so do not cancel it."""

    __slots__ = ("acknowledged", "event_id", "head", "request_id", "started")

    def __init__(
        self, head: RequestHead, event_id: str, acknowledged: asyncio.Future[None], started: float
    ) -> None:
        self.head = head
        self.request_id = head.request_id()
        self.event_id = event_id
        self.acknowledged = acknowledged
        self.started = started


class FastLane:
    """Sends the event of a complete request to Kafka, and makes the answer."""

    def __init__(
        self,
        admission: Admission,
        intake: Intake,
        access_log: AccessLog,
        cors: Cors,
        *,
        max_bytes: int,
    ) -> None:
        self._admission = admission
        self._intake = intake
        self._access_log = access_log
        self._cors = cors
        self._max_bytes = max_bytes

    def take(self, headers: Headers, body: bytes) -> Taken | None:
        """Send the event; return None if the application must answer the request instead."""
        started = time.monotonic()
        head = RequestHead(headers)
        if (
            head.get(b"content-type") not in _PLAIN_TYPES
            or head.get(b"content-encoding") is not None
            or len(body) > self._max_bytes
            or not self._intake.producer.ready
        ):
            return None
        try:
            access = self._admission.check_key(head)
        except ApiError:
            return None
        try:
            value, event_id = self._intake.record(body, datetime.now(UTC))
            (acknowledged,) = self._intake.producer.produce((value,))
        except (MalformedJson, InvalidEvent, OutsideWindow, ProducerError):
            access.give_back()  # the application counts the request again
            return None
        return Taken(head, event_id, acknowledged, started)

    def answer(self, taken: Taken, client: object) -> Response:
        """Return the answer to a request whose `acknowledged` is done."""
        try:
            taken.acknowledged.result()
        except ProducerError as error:
            refused = self._intake.unacknowledged(error, taken.event_id)
            response = refused.response(taken.request_id)
        else:
            self._intake.metrics.accepted(1)
            response = _Created(taken.event_id)
        self._intake.metrics.request(PATH, response.status_code)
        response.raw_headers += [
            (b"x-request-id", taken.request_id.encode()),
            *self._cors.headers(taken.head.get(b"origin")),
        ]
        if self._access_log.sampled():
            self._access_log.write(
                method="POST",
                endpoint=PATH,
                status=response.status_code,
                seconds=time.monotonic() - taken.started,
                request_id=taken.request_id,
                head=taken.head,
                client=client,
            )
        return response


class _Created(Response):
    """The application's answer, made faster, since an id needs no escaping."""

    def __init__(self, event_id: str) -> None:
        self.status_code = HTTPStatus.OK
        self.body = b'{"detail":"Event created","event_id":"%b"}' % event_id.encode()
        self.raw_headers = [
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", b"application/json"),
        ]
