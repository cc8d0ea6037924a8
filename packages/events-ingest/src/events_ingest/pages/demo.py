"""`/demo`: a tracked page that shows what happens to its events."""

from __future__ import annotations

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from events_ingest.pages.files import STATIC, file_route, page_headers
from events_ingest.settings import ServeSettings
from events_schema.runtime.errors import UsageError

_ASSETS = ("demo.css", "demo.js", "demo.svg")


def demo_routes(settings: ServeSettings) -> list[Route]:
    """Return the routes of the page and its files; empty unless `settings.demo`.

    The page posts with the first public key. Raises `UsageError` if there is none, but keys are
    required.
    """
    if not settings.demo:
        if settings.demo_stats is not None:
            raise UsageError("--demo-stats needs the demo page; give --demo too")
        return []
    keys = settings.page_keys()
    if not keys and not settings.allow_anonymous:
        raise UsageError(
            "--demo needs a key for its page; give --public-key 'KEY ORIGIN' with the page's "
            "origin, such as http://127.0.0.1:8000, or --allow-anonymous"
        )
    config = {"key": keys[0].key if keys else None, "stats": settings.demo_stats}
    connect = "'self'"
    if settings.demo_stats is not None:
        stats = URL(settings.demo_stats)
        connect += f" {stats.scheme}://{stats.netloc}"

    async def show_config(_: Request) -> Response:
        return JSONResponse(config)

    return [
        file_route("/demo", STATIC / "demo.html", page_headers(connect)),
        Route("/demo/config.json", show_config),
        *(file_route(f"/demo/{name}", STATIC / name) for name in _ASSETS),
    ]
