"""reference/http-api.md, from the collector's OpenAPI document and the errors that it answers."""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import events_ingest
from events_ingest.errors import ProducerError
from events_ingest.http.responses import ApiError
from events_ingest.pages.demo import demo_routes
from events_ingest.pages.documentation import documentation_routes
from events_ingest.pages.openapi import openapi
from events_ingest.pages.tracker import tracker_routes
from events_ingest.settings import ServeSettings
from events_schema import Contract, Event
from reference_pages.markdown import anchor, code, codes, page, sentence, table

Object = Mapping[str, Any]

FRAMEWORK = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
"""Statuses that Starlette answers, and the document does not list."""
FRAMEWORK_MEANINGS = {
    404: "The path does not exist",
    405: "The path has other methods; see `Allow`",
}
HEADERS = {"Allow": ["405"], "Accept": ["415"], "Accept-Encoding": ["415"]}
"""Headers of errors that the document does not list."""
PAGES = {
    "/docs": ("text/html", "This API as a page, with the running collector's contract"),
    "/openapi.json": ("application/json", "This API as an OpenAPI 3.1 document"),
    "/tracker.js": (
        "text/javascript",
        "The [tracker](../how-to/web-pages.md) for web pages; browsers keep it for an hour",
    ),
    "/tracker.d.ts": ("text/plain", "The tracker's TypeScript types, with your own fields"),
    "/demo": (
        "text/html",
        "The [demo page](../how-to/web-pages.md#try-the-demo-page), only with `--demo`",
    ),
}
"""What people, browsers and editors read, each with its type and its meaning."""
FIELD_MEANINGS = {
    ("Batch", "sent_at"): "when the client sent this, by its own clock",
    ("Created", "detail"): "a text for people",
    ("Created", "event_id"): "the event's id, given or made",
    ("Stored", "accepted"): "how many events are stored",
    ("Stored", "event_ids"): "their ids, in the order of the request",
    ("Stored", "rejected"): "the events that are not",
    ("Error", "error.code"): "one of the codes above",
    ("Error", "error.message"): "what was wrong, and what to do",
    ("Error", "error.retryable"): "whether the same request may succeed later",
    ("Error", "error.fields"): "what is wrong with which field",
    ("Error", "request_id"): "the answer's `X-Request-Id`",
    ("Error", "event_id"): "503 on `/track`: send the event again with this id",
    ("Error", "event_ids"): "503 on `/batch`: the ids of the valid events, to send them again with",
    ("Error", "acknowledged"): "503 on `/batch`: the events that are stored",
    ("Error", "unacknowledged"): "503 on `/batch`: the events that may not be stored",
    ("Error", "rejected"): "503 on `/batch`: the events that break the contract",
    ("FieldError", "field"): "the path of the field",
    ("FieldError", "code"): "pydantic's name for the error, such as `missing` or `int_type`",
    ("FieldError", "message"): "what was expected",
    ("EventPlace", "index"): "the event's place in the request, from 0",
    ("EventPlace", "event_id"): "its id",
    ("RejectedEvent", "index"): "the event's place in the request, from 0",
    ("RejectedEvent", "event_id"): "its id, if it has a valid one",
    ("RejectedEvent", "errors"): "what is wrong with it",
}
"""The document's answers have no descriptions."""
SCHEMES = {
    "token": "the header `X-Token: KEY`",
    "bearer": "the header `Authorization: Bearer KEY`",
    "publicKey": "the query parameter `?key=KEY`, for web pages",
}


def http_api_page() -> str:
    """Return the page for the default contract and the default settings."""
    settings = ServeSettings.model_validate({"token": ("SECRET",)})
    contract = Contract(Event)
    document = openapi(settings, contract)
    return page(
        "HTTP API",
        "the collector's OpenAPI document",
        sentence(document["info"]["description"]),
        "This page shows the default contract and the default limits. A running collector "
        "describes its own contract and limits at `/openapi.json`, and as a page at `/docs`.",
        "## Keys",
        "Requests that post events need a key, unless the collector runs with "
        "`--allow-anonymous`. Send it in one of these ways:",
        "\n".join(f"- {SCHEMES[name]}" for name in document["components"]["securitySchemes"]),
        "## Endpoints",
        _overview(document),
        *_endpoints(document),
        "## Pages",
        "These paths need no key. They answer GET and HEAD.",
        _pages(contract),
        "## Errors",
        "Every error has one shape: an [Error](#error) whose `code` is for programs and whose "
        "`message` is for people. Send a request again only if `retryable` is true. After a 413, "
        "send fewer events at a time.",
        _errors(document),
        "## Headers of answers",
        _headers(document),
        "## Bodies",
        *_schemas(document["components"]["schemas"]),
    )


def _operations(document: Object) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), path, operation


def _overview(document: Object) -> str:
    return table(
        ["Request", "Answers", "Meaning"],
        [
            [
                f"[`{method} {path}`](#{anchor(f'{method} {path}')})"
                if method == "POST"
                else code(f"{method} {path}"),
                ", ".join(operation["responses"]),
                sentence(operation["summary"]),
            ]
            for method, path, operation in _operations(document)
            if path not in PAGES
        ],
    )


def _pages(contract: Contract[Any]) -> str:
    """Return the paths of pages; the files that only pages load are below them."""
    settings = ServeSettings.model_validate({"allow_anonymous": True, "demo": True})
    routes = [
        *documentation_routes({}),
        *tracker_routes(settings, contract),
        *demo_routes(settings),
    ]
    paths = [route.path for route in routes if route.path.count("/") == 1]
    if set(paths) != set(PAGES):
        raise ValueError(f"the collector has the pages {paths}; describe them in PAGES")
    return table(
        ["Path", "Content-Type", "What it is"],
        [[code(path), code(kind), sentence(meaning)] for path, (kind, meaning) in PAGES.items()],
    )


def _endpoints(document: Object) -> Iterator[str]:
    for method, path, operation in _operations(document):
        if method != "POST":
            continue
        yield f"### {method} {path}"
        yield sentence(operation["description"])
        body = operation["requestBody"]
        yield sentence(body["description"])
        yield table(
            ["Content-Type", "Body"],
            [[code(each), _kind(content["schema"])] for each, content in body["content"].items()],
        )
        content = next(iter(body["content"].values()))
        yield f"```json\n{json.dumps(content['example'], indent=2)}\n```"
        good, bad = _by_outcome(operation)
        yield table(
            ["Status", "Meaning", "Body"],
            [
                [status, sentence(answer["description"]), _bodies(answer)]
                for status, answer in _answers(document, operation)
                if status in good
            ]
            + [[", ".join(bad), "See [Errors](#errors).", "[Error](#error)"]],
        )


def _by_outcome(operation: Object) -> tuple[list[str], list[str]]:
    statuses = list(operation["responses"])
    bad = [each for each in statuses if int(each) >= HTTPStatus.BAD_REQUEST]
    return [each for each in statuses if each not in bad], bad


def _answers(document: Object, operation: Object) -> Iterator[tuple[str, Any]]:
    for status, answer in operation["responses"].items():
        yield status, _resolve(document, answer)


def _resolve(document: Object, value: Any) -> Any:
    if "$ref" not in value:
        return value
    _, components, kind, name = value["$ref"].split("/")
    return document[components][kind][name]


def _bodies(answer: Object) -> str:
    return " or ".join(_kind(each["schema"]) for each in answer.get("content", {}).values())


def _errors(document: Object) -> str:
    meanings = {
        int(status): answer["description"]
        for _, _, operation in _operations(document)
        for status, answer in _answers(document, operation)
        if int(status) >= HTTPStatus.BAD_REQUEST
    }
    found = _codes()
    return table(
        ["Status", "Codes", "`retryable`", "Meaning"],
        [
            [
                str(status.value),
                codes(sorted(found[status])),
                "yes" if ApiError(status, "", "").retryable else "no",
                sentence({**FRAMEWORK_MEANINGS, **meanings}[status]),
            ]
            for status in sorted(found)
        ],
    )


def _codes() -> Mapping[HTTPStatus, set[str]]:
    """Return the codes of each status, as the collector's modules give them to `ApiError`."""
    found: defaultdict[HTTPStatus, set[str]] = defaultdict(set)
    for status in FRAMEWORK:
        found[status].add(status.name.lower())
    for error in ProducerError.__subclasses__():
        found[HTTPStatus.SERVICE_UNAVAILABLE].add(error.code)
    for file in Path(str(events_ingest.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name("ApiError"),
                    args=[ast.Attribute(attr=name), ast.Constant(value=str(value)), *_],
                ):
                    found[HTTPStatus[name]].add(value)
    return found


def _headers(document: Object) -> str:
    known: dict[str, list[str]] = {}
    for _, _, operation in _operations(document):
        for status, answer in _answers(document, operation):
            for header in answer.get("headers", {}):
                known.setdefault(header, [])
                if status not in known[header]:
                    known[header].append(status)
    for header, statuses in HEADERS.items():
        known[header] = [*known.get(header, []), *statuses]
    everywhere = max(map(len, known.values()))
    return table(
        ["Header", "Answers"],
        [
            [code(header), "all" if len(statuses) == everywhere else ", ".join(sorted(statuses))]
            for header, statuses in known.items()
        ],
    )


def _schemas(schemas: Object) -> Iterator[str]:
    for name, schema in schemas.items():
        yield f"### {name}"
        if "description" in schema:
            yield sentence(schema["description"])
        if "properties" in schema:
            yield _properties(name, schema)
        else:
            yield sentence(_kind(schema))
        for each in schema.get("anyOf", []):
            if "properties" in each:
                yield "The object has these fields:"
                yield _properties(name, each)


def _properties(schema: str, of: Object) -> str:
    return table(["Field", "Type", "Required", "Meaning"], _rows(schema, of, "", always=True))


def _rows(schema: str, of: Object, prefix: str, *, always: bool) -> Iterator[list[str]]:
    for name, each in of["properties"].items():
        path, required = f"{prefix}{name}", always and name in of.get("required", [])
        if "properties" in each:
            yield from _rows(schema, each, f"{path}.", always=required)
            continue
        meaning = each.get("description") or FIELD_MEANINGS.get((schema, path), "")
        yield [code(path), _kind(each), "yes" if required else "no", sentence(meaning)]


def _kind(schema: Object) -> str:
    """Return the type of a value in words."""
    match schema:
        case {"$ref": ref}:
            name = ref.rpartition("/")[2]
            words = f"[{name}](#{anchor(name)})"
        case {"anyOf": kinds}:
            first, *others = map(_kind, kinds)
            words = (", or " if "," in first else " or ").join([first, *others])
        case {"type": "array", "items": items}:
            words = f"array of {_kind(items)}{_range(schema, 'Items', 'items')}"
        case {"type": "string", "format": "date-time"}:
            words = "string, RFC 3339 with a zone"
        case {"type": "string", "format": format_}:
            words = f"string, {format_}"
        case {"type": "string"}:
            words = f"string{_range(schema, 'Length', 'characters')}"
        case {"type": "integer" | "number", "minimum": least, "maximum": most}:
            words = f"{schema['type']}, {least} to {most}"
        case {"type": "integer" | "number", "minimum": least}:
            words = f"{schema['type']}, {least} or more"
        case _:
            words = str(schema["type"])
    return words


def _range(schema: Object, what: str, unit: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if most is None:
        return ""
    return f", {least} to {most} {unit}" if least else f", at most {most} {unit}"
