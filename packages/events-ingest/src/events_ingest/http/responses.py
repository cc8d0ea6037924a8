"""The collector's answers, with one JSON format for all errors."""

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
    """An event of a batch request: its position, starting at 0, and its id."""

    index: int
    event_id: str


class RejectedEvent(TypedDict):
    """A rejected event of a batch request: its position, its id if it has one, and its errors."""

    index: int
    event_id: str | None
    errors: list[FieldError]


class Attempt(TypedDict):
    """Which events of a request were sent to Kafka, and which of them were acknowledged."""

    event_id: NotRequired[str]
    event_ids: NotRequired[list[str]]
    acknowledged: NotRequired[list[EventPlace]]
    unacknowledged: NotRequired[list[EventPlace]]
    rejected: NotRequired[list[RejectedEvent]]


class JsonResponse(Response):
    """A JSON response that pydantic serializes."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return `content`, which must not contain lone surrogates, as JSON."""
        return to_json(content)


class ApiError(Exception):
    """Raised when a request ends in an error; `response` returns the answer."""

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
    """Return the error for a body that is not the expected JSON."""
    return ApiError(HTTPStatus.BAD_REQUEST, "malformed_json", message)


def invalid_event(fields: Sequence[FieldError]) -> ApiError:
    """Return the error for an event that is invalid in `fields`."""
    return ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_event",
        "the event is not valid; see fields",
        fields=fields,
    )


def invalid_batch(message: str, fields: Sequence[FieldError] = ()) -> ApiError:
    """Return the error for a batch request without any valid event."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_batch", message, fields=fields)


def unavailable(error: ProducerError, attempt: Attempt | None = None) -> ApiError:
    """Return the error for events that Kafka did not acknowledge."""
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, error.code, str(error), attempt=attempt)


def too_many_requests(seconds: float) -> ApiError:
    """Return the error for a key that exceeds its rate; it may be used again after `seconds`."""
    return ApiError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "rate_limited",
        "the key has exceeded its request rate; send it again later",
        headers={"Retry-After": str(max(1, math.ceil(seconds)))},
    )
