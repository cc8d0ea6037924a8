"""Routes for static files, and the headers of pages."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

STATIC = Path(__file__).with_name("static")
"""The folder of this package's static files."""
NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}


def file_route(path: str, file: Path, headers: dict[str, str] | None = None) -> Route:
    """Return a route that serves `file` at `path`."""

    async def show_file(_: Request) -> Response:
        return FileResponse(file, headers={**NO_SNIFFING, **(headers or {})})

    return Route(path, show_file)


def page_headers(connect: str = "'self'") -> dict[str, str]:
    """Return the headers of a page whose files all come from the collector.

    `connect` is the `connect-src` of its Content-Security-Policy: what its scripts may fetch.
    """
    return {
        # Swagger UI's icons are `data:` images in its style sheet, the only exception.
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        **NO_SNIFFING,
    }
