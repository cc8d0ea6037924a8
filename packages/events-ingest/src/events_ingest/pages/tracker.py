"""`/tracker.js`: what sends the events of web pages, and its types."""

from __future__ import annotations

import rjsmin
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from events_ingest.limits import EventTimeWindow
from events_ingest.pages.files import NO_SNIFFING, STATIC, file_route

_WINDOW = "const WINDOW = {};"
_DEFAULT_WINDOW_SECONDS = 604800
_HEADERS = {
    **NO_SNIFFING,
    "Cache-Control": "public, max-age=3600",
    "Cross-Origin-Resource-Policy": "cross-origin",  # it is made for pages of other origins
}


def tracker_script(window: EventTimeWindow) -> str:
    """Return the tracker, without its comments, for a collector that takes events in `window`."""
    source = (STATIC / "tracker.js").read_text("utf-8")
    default = _WINDOW.format(_DEFAULT_WINDOW_SECONDS)
    before, found, after = source.partition(default)
    assert found  # noqa: S101  # the file is ours, and a test asks for it
    own = _WINDOW.format(int(window.back.total_seconds()))
    return str(rjsmin.jsmin(before + own + after))


def tracker_routes(window: EventTimeWindow) -> list[Route]:
    """Return the routes of the tracker and of its types."""
    script = tracker_script(window)

    async def show_script(_: Request) -> Response:
        return Response(script, media_type="text/javascript", headers=_HEADERS)

    return [
        Route("/tracker.js", show_script, middleware=[Middleware(GZipMiddleware)]),
        file_route("/tracker.d.ts", STATIC / "tracker.d.ts"),
    ]
