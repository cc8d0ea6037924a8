"""`/demo`: a page that is tracked, and shows what becomes of its events."""

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
    """Return the routes of the page and its files, none where it is not asked for.

    The page posts as web pages do: with the first public key. Raises `UsageError` where there is
    none, though a key is needed.
    """
    if not settings.demo:
        if settings.demo_stats is not None:
            raise UsageError("--demo-stats is for the demo page; give --demo too")
        return []
    keys = settings.page_keys()
    if not keys and not settings.allow_anonymous:
        raise UsageError(
            "--demo needs a key for its page; give --public-key 'KEY ORIGIN' with the origin that "
            "it is opened at, such as http://127.0.0.1:8000, or --allow-anonymous"
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
