"""`/tracker.js`, which sends the events of web pages, and its TypeScript types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import rjsmin
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from events_ingest.pages.files import NO_SNIFFING, STATIC
from events_ingest.settings import ServeSettings
from events_schema import ColumnType, Contract

_FIELDS_TYPE = "interface EventsFields {\n"
_TYPESCRIPT: Mapping[ColumnType, str] = {
    ColumnType.BOOL: "boolean",
    ColumnType.FLOAT64: "number",
    ColumnType.INT32: "number",
    ColumnType.INT64: "number",
    ColumnType.STRING: "string",
    ColumnType.TIMESTAMP: "Date | string",
}
_HEADERS = {
    **NO_SNIFFING,
    "Cache-Control": "public, max-age=3600",
    "Cross-Origin-Resource-Policy": "cross-origin",  # it is meant for pages of other origins
}


def tracker_script(settings: ServeSettings, contract: Contract[Any]) -> str:
    """Return the minified tracker for a collector with these `settings` and this `contract`."""
    source = (STATIC / "tracker.js").read_text("utf-8")
    fields = json.dumps(list(contract.own_types.items()), separators=(",", ":"))
    for default, own in [
        ("const WINDOW = 604800;", f"const WINDOW = {settings.event_time_back};"),
        ("const EVENT_BYTES = 32768;", f"const EVENT_BYTES = {settings.max_event_bytes};"),
        ("const FIELDS = [];", f"const FIELDS = {fields};"),
    ]:
        source = _replaced(source, default, own)
    return str(rjsmin.jsmin(source))


def tracker_types(contract: Contract[Any]) -> str:
    """Return the tracker's TypeScript types, with the own fields of `contract`."""
    source = (STATIC / "tracker.d.ts").read_text("utf-8")
    described = contract.json_schema()["properties"]
    fields = [
        f"  /** {_comment(described[column.name]['description'])} */\n"
        f"  {column.name}?: {_TYPESCRIPT[column.type]} | null;\n"
        for column in contract.own_columns
    ]
    return _replaced(source, _FIELDS_TYPE, _FIELDS_TYPE + "".join(fields))


def _replaced(source: str, default: str, own: str) -> str:
    before, found, after = source.partition(default)
    assert found  # noqa: S101  # a test checks it
    return before + own + after


def _comment(description: str) -> str:
    return " ".join(description.split()).replace("*/", "*\\/")


def tracker_routes(settings: ServeSettings, contract: Contract[Any]) -> list[Route]:
    """Return the routes of the tracker and its types."""
    script, types = tracker_script(settings, contract), tracker_types(contract)

    async def show_script(_: Request) -> Response:
        return Response(script, media_type="text/javascript", headers=_HEADERS)

    async def show_types(_: Request) -> Response:
        return Response(types, media_type="text/plain", headers=NO_SNIFFING)

    return [
        Route("/tracker.js", show_script, middleware=[Middleware(GZipMiddleware)]),
        Route("/tracker.d.ts", show_types),
    ]
