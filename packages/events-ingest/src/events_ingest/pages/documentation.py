"""`/openapi.json`, and `/docs`: a page to read and try the API."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from events_ingest.pages.files import file_route, page_headers

_ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_A_DAY = {"Cache-Control": "max-age=86400"}

# URLs are relative, since a proxy may serve the collector under another path.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Events collector</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  validatorUrl: null,
  docExpansion: "list",
  defaultModelExpandDepth: 3,
});
"""


def documentation_routes(document: dict[str, Any]) -> list[Route]:
    """Return the routes of `document`, of its page and of all files of the page."""
    content = json.dumps(document, ensure_ascii=False).encode()
    # Swagger UI's files; the package that contains them is not imported.
    folder = Path(str(distribution("swagger-ui-py").locate_file("swagger_ui/static")))

    async def show_document(_: Request) -> Response:
        return Response(content, media_type="application/json")

    async def show_page(_: Request) -> Response:
        return Response(_PAGE, media_type="text/html", headers=page_headers())

    async def show_start(_: Request) -> Response:
        return Response(_START, media_type="text/javascript")

    return [
        Route("/openapi.json", show_document),
        Route("/docs", show_page),
        Route("/docs/start.js", show_start),
        *(file_route(f"/docs/{name}", folder / name, _A_DAY) for name in _ASSETS),
    ]
