"""`hatch run screenshots site [PAGE ...]`: pictures of the built site, for looking at it.

Each page, such as `how-to/query`, is taken in light, in dark and on a phone; without a page, all
are. The pictures go to a new folder for temporary files, whose name is printed. Build the site
first: `hatch run docs:build`.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser

SITE = Path(__file__).parents[1] / "site"
WAYS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class QuietServer(ThreadingHTTPServer):
    """Says nothing if a browser drops a request."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Show all other errors."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve `folder` on this machine; yield its address."""
    with QuietServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def take_site(browser: Browser, pages: list[str]) -> None:
    """Take the pictures of `pages`, or of all."""
    if not SITE.is_dir():
        raise SystemExit("site/ does not exist; build it with `hatch run docs:build`")
    every = [file.parent.relative_to(SITE).as_posix() for file in SITE.rglob("index.html")]
    folder = Path(tempfile.mkdtemp(prefix="events-site-"))
    with serving(SITE) as url:
        for way, options in WAYS.items():
            with browser.new_context(**options) as context:  # type: ignore[arg-type]
                tab = context.new_page()
                for page in pages or sorted(every):
                    tab.goto(f"{url}/{page}/")
                    name = page.replace("/", "-") if page != "." else "index"
                    tab.screenshot(path=folder / f"{name}-{way}.png", full_page=True)
    print(f"wrote the pictures to {folder}")
