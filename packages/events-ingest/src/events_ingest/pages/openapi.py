"""The API as an OpenAPI 3.1 document, derived from the contract and the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter

from events_ingest.http.content import NDJSON
from events_ingest.http.decompression import ENCODINGS
from events_ingest.http.responses import ApiError
from events_ingest.settings import ServeSettings
from events_schema import Contract, Time
from events_schema.models.types import EventId
from events_schema.parse import MAX_FIELDS

Object = dict[str, Any]

_JSON, _PLAIN = "application/json", "text/plain"
_TEXT: Object = {"type": "string"}
_FLAG: Object = {"type": "boolean"}
_COUNT: Object = {"type": "integer", "minimum": 0}
_STATUS: Object = {"type": "object", "properties": {"status": _TEXT}, "required": ["status"]}
_EXAMPLE = {
    "user_id": 1,
    "app_name": "product_1",
    "event_action": "page_view",
    "event_category": "category_1",
}

_KEYS: Object = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Token"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "publicKey": {"type": "apiKey", "in": "query", "name": "key", "description": "For web pages"},
}
_REQUEST_ID: Object = {
    "name": "X-Request-Id",
    "in": "header",
    "schema": _TEXT,
    "description": "1 to 128 printable ASCII characters; a request without a valid id gets one",
}

_ERRORS = {  # the description of each status, and one of its codes
    400: ("The body, its coding or the request itself is malformed", "malformed_json"),
    401: ("The key is missing or wrong", "unauthorized"),
    403: ("The key is for pages of other origins", "origin_not_allowed"),
    408: ("The head or the body did not arrive in time", "body_timeout"),
    413: ("The body is too long, or has too many events", "body_too_large"),
    415: ("The type, charset or coding is not supported", "unsupported_media_type"),
    422: ("The event, or every event of the batch, is invalid; see `fields`", "invalid_event"),
    429: ("The key has exceeded its request rate", "rate_limited"),
    431: ("The head of the request is too long", "head_too_large"),
    500: ("Internal error", "internal_error"),
    503: (
        "Kafka is unavailable; send the events again with the ids in the answer",
        "broker_unavailable",
    ),
}
_ERRORS_OF_ALL, _ERRORS_OF_KEYS = (400, 408, 431, 500, 503), (401, 403)


def openapi(settings: ServeSettings, contract: Contract[Any]) -> Object:
    """Return the document for a collector with these `settings` and this `contract`."""
    keys = {} if settings.allow_anonymous else _KEYS
    events = {"tags": ["events"], "security": [{name: []} for name in keys]}
    errors = [each for each in _ERRORS if keys or each not in _ERRORS_OF_KEYS]
    paths: Object = {
        "/track": {"post": {**events, **_track(settings, errors)}, "options": _preflight("Track")},
        "/batch": {"post": {**events, **_batch(settings, errors)}, "options": _preflight("Batch")},
        "/livez": {"get": _look("isLive", "Whether the process is running", _JSON, _STATUS)},
        "/readyz": {"get": _look("isReady", "Whether events are accepted now", _JSON, _STATUS)},
        "/openapi.json": {"get": _look("getDocument", "This document", _JSON, {"type": "object"})},
        "/docs": {"get": _look("getPage", "This document as a page", "text/html", _TEXT)},
    }
    if settings.metrics_port is None:
        paths["/metrics"] = {"get": _look("getMetrics", "Metrics for Prometheus", _PLAIN, _TEXT)}
    for path in paths.values():
        path["parameters"] = [_REQUEST_ID]  # not a reference: Swagger UI would not show it here
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Events collector",
            "version": version("events-ingest"),
            "description": "Accepts events over HTTP and answers 200 when Kafka has stored them.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": {**_posted(contract, settings.max_batch_events), **_answered()},
            "responses": {f"Error{status}": _error_response(status) for status in errors},
            "headers": {"RequestId": _header(_TEXT)},
            **({"securitySchemes": keys} if keys else {}),
        },
    }


def _track(settings: ServeSettings, errors: Iterable[int]) -> Object:
    return {
        "operationId": "track",
        "summary": "Post one event",
        "description": (
            f"At most {settings.max_event_bytes} bytes. {_window(settings)} Give the event an "
            "`event_id` if you may have to send it again: then it is stored once."
        ),
        "requestBody": _body(
            {kind: (_schema("PostedEvent"), _EXAMPLE) for kind in (_JSON, _PLAIN)}
        ),
        "responses": _responses("The event is stored", _schema("Created"), errors),
    }


def _batch(settings: ServeSettings, errors: Iterable[int]) -> Object:
    batch, lines = (_schema("Batch"), {"events": [_EXAMPLE]}), (_schema("Events"), [_EXAMPLE])
    return {
        "operationId": "batch",
        "summary": "Post many events",
        "description": (
            f"At most {settings.max_batch_events} events, each of at most "
            f"{settings.max_event_bytes} bytes; {settings.max_batch_bytes} bytes as sent, "
            f"{settings.max_decompressed_bytes} decompressed. {_window(settings)} The valid events "
            "are stored even if others are rejected. With `sent_at`, their times are corrected by "
            "how far the client's clock is behind."
        ),
        "requestBody": _body({_JSON: batch, _PLAIN: batch, NDJSON: lines}),
        "responses": _responses("The valid events are stored", _schema("Stored"), errors),
    }


def _window(settings: ServeSettings) -> str:
    return (
        f"An `event_time` may be at most {settings.event_time_back} s ago and "
        f"{settings.event_time_ahead} s ahead; if left out, it is the time of receipt."
    )


def _body(content: dict[str, tuple[Object, Any]]) -> Object:
    return {
        "description": (
            f"JSON in UTF-8 with one of these Content-Encodings: {', '.join(ENCODINGS)}. "
            "`text/plain` is also JSON; web pages can send it without a preflight request. "
            f"`{NDJSON}` has one event per line."
        ),
        "required": True,
        "content": {
            media_type: {"schema": schema, "example": example}
            for media_type, (schema, example) in content.items()
        },
    }


def _preflight(name: str) -> Object:
    allowed = {
        "description": "`Access-Control-Allow-Origin` says whether the page may post",
        "headers": {"X-Request-Id": _ref("headers", "RequestId"), "Allow": _header(_TEXT)},
    }
    return {
        "tags": ["events"],
        "operationId": f"preflight{name}",
        "summary": "The preflight request of a browser before a page of another origin posts",
        "responses": {"204": allowed, **_error_responses(_ERRORS_OF_ALL)},
    }


def _look(name: str, summary: str, media_type: str, schema: Object) -> Object:
    return {
        "tags": ["service"],
        "operationId": name,
        "summary": summary,
        "responses": _responses(summary, schema, _ERRORS_OF_ALL, media_type),
    }


def _responses(
    description: str, schema: Object, errors: Iterable[int], media_type: str = _JSON
) -> Object:
    return {"200": _response(description, schema, media_type), **_error_responses(errors)}


def _error_responses(errors: Iterable[int]) -> Object:
    return {str(status): _ref("responses", f"Error{status}") for status in errors}


def _response(description: str, schema: Object, media_type: str = _JSON) -> Object:
    return {
        "description": description,
        "headers": {"X-Request-Id": _ref("headers", "RequestId")},
        "content": {media_type: {"schema": schema}},
    }


def _error_response(status: int) -> Object:
    description, code = _ERRORS[status]
    response = _response(description, _schema("Error"))
    example = ApiError(HTTPStatus(status), code, description).response("01a20ce8-d911-713f")
    response["content"][_JSON]["example"] = json.loads(bytes(example.body))
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        response["headers"]["Retry-After"] = _header({"type": "integer", "minimum": 1})
    if status == HTTPStatus.UNAUTHORIZED:
        response["headers"]["WWW-Authenticate"] = _header(_TEXT)
    return response


def _posted(contract: Contract[Any], max_events: int) -> Object:
    event = contract.json_schema()
    del event["$schema"]  # it is not allowed within an OpenAPI document
    sent_at = TypeAdapter(Time | None).json_schema()
    wrapped = _object({"events": _schema("Events")}, {"sent_at": sent_at})
    return {
        "PostedEvent": event,
        "Events": {**_list("PostedEvent"), "minItems": 1, "maxItems": max_events},
        "Batch": {"anyOf": [_schema("Events"), {**wrapped, "additionalProperties": False}]},
    }


def _answered() -> Object:
    event_id = TypeAdapter(EventId).json_schema()
    event_ids = {"type": "array", "items": event_id}
    rejected = {"rejected": _list("RejectedEvent")}
    places = {"acknowledged": _list("EventPlace"), "unacknowledged": _list("EventPlace")}
    fields = {**_list("FieldError"), "maxItems": MAX_FIELDS}
    error = _object({"code": _TEXT, "message": _TEXT, "retryable": _FLAG, "fields": fields})
    attempt = {"event_id": event_id, "event_ids": event_ids, **places, **rejected}
    perhaps_id = {"anyOf": [event_id, {"type": "null"}]}
    return {
        "Created": _object({"detail": _TEXT, "event_id": event_id}),
        "Stored": _object({"accepted": _COUNT, "event_ids": event_ids, **rejected}),
        "Error": _object({"error": error, "request_id": _TEXT}, attempt),
        "FieldError": _object({"field": _TEXT, "code": _TEXT, "message": _TEXT}),
        "EventPlace": _object({"index": _COUNT, "event_id": event_id}),
        "RejectedEvent": _object(
            {"index": _COUNT, "event_id": perhaps_id, "errors": _list("FieldError")}
        ),
    }


def _object(members: Object, optional: Object | None = None) -> Object:
    properties = {**members, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(members)}


def _list(name: str) -> Object:
    return {"type": "array", "items": _schema(name)}


def _header(schema: Object) -> Object:
    return {"required": True, "schema": schema}


def _schema(name: str) -> Object:
    return _ref("schemas", name)


def _ref(kind: str, name: str) -> Object:
    return {"$ref": f"#/components/{kind}/{name}"}
