"""What the collector answers: one shape for every error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

from pydantic import ValidationError
from starlette.responses import JSONResponse

RETRY_AFTER_SECONDS = 2
MAX_FIELDS = 20
_MAX_FIELD_LENGTH = 100


class FieldError(TypedDict):
    """What is wrong with one field: its path, a code for programs and a text for people."""

    field: str
    code: str
    message: str


class ApiError(Exception):
    """Raised when a request ends in an error; `response` makes the answer of it."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        *,
        fields: Sequence[FieldError] = (),
        event_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.event_id = event_id
        self.headers = headers

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return (
            self.status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
            or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )

    def response(self) -> JSONResponse:
        """Return the answer: `{"error": {code, message, retryable, fields}, "event_id"}`."""
        error = {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "fields": list(self.fields),
        }
        content: dict[str, Any] = {"error": error}
        if self.event_id is not None:
            content["event_id"] = self.event_id
        headers = dict(self.headers or {})
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return JSONResponse(content, self.status, headers)


def invalid_event(fields: Sequence[FieldError]) -> ApiError:
    """Return the error for an event that breaks the contract in `fields`."""
    return ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_event",
        "the event breaks the contract; see fields",
        fields=fields[:MAX_FIELDS],
    )


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return what `error` says about each field, without what the client sent."""
    return [
        {
            "field": ".".join(map(str, each["loc"]))[:_MAX_FIELD_LENGTH],
            "code": each["type"],
            "message": each["msg"],
        }
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
