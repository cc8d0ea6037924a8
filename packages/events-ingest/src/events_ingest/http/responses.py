"""What the collector answers: one shape for every error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NotRequired, TypedDict

from pydantic_core import to_json
from starlette.responses import Response

from events_ingest.errors import ProducerError
from events_schema.errors import FieldError
from events_schema.parse import MAX_FIELDS

RETRY_AFTER_SECONDS = 2


class EventPlace(TypedDict):
    """An event of a batch request: its place in the request, from 0, and its id."""

    index: int
    event_id: str


class RejectedEvent(TypedDict):
    """A rejected event of a batch request: its place, its id if it has one, and why."""

    index: int
    event_id: str | None
    errors: list[FieldError]


class Attempt(TypedDict):
    """What is known of events that were handed to Kafka and are not all acknowledged."""

    event_id: NotRequired[str]
    event_ids: NotRequired[list[str]]
    acknowledged: NotRequired[list[EventPlace]]
    unacknowledged: NotRequired[list[EventPlace]]
    rejected: NotRequired[list[RejectedEvent]]


class JsonResponse(Response):
    """A response whose JSON is written by pydantic."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write `content`, which holds no lone surrogate."""
        return to_json(content)


class ApiError(Exception):
    """Raised when a request ends in an error; `response` makes the answer of it."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        *,
        fields: Sequence[FieldError] = (),
        attempt: Attempt | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.attempt = attempt
        self.headers = headers

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return (
            self.status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
            or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )

    def response(self, request_id: str) -> Response:
        """Return the answer: `{"error": {code, message, retryable, fields}, "request_id", ...}`."""
        error = {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "fields": list(self.fields[:MAX_FIELDS]),
        }
        content = {"error": error, "request_id": request_id, **(self.attempt or {})}
        headers = dict(self.headers or {})
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return JsonResponse(content, self.status, headers)


def malformed(message: str) -> ApiError:
    """Return the error for a body that is not the JSON it should be."""
    return ApiError(HTTPStatus.BAD_REQUEST, "malformed_json", message)


def invalid_event(fields: Sequence[FieldError]) -> ApiError:
    """Return the error for an event that breaks the contract in `fields`."""
    return ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_event",
        "the event breaks the contract; see fields",
        fields=fields,
    )


def invalid_batch(message: str, fields: Sequence[FieldError] = ()) -> ApiError:
    """Return the error for a batch request of which no event can be taken."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_batch", message, fields=fields)


def unavailable(error: ProducerError, attempt: Attempt | None = None) -> ApiError:
    """Return the error for events that Kafka has not acknowledged."""
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), attempt=attempt)


def too_many_requests(seconds: float) -> ApiError:
    """Return the error for a key that is used too often; it may be used again in `seconds`."""
    return ApiError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "rate_limited",
        "the key is used more often than it may be; send it again later",
        headers={"Retry-After": str(max(1, math.ceil(seconds)))},
    )
