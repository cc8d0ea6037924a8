"""Checks the built site for what Zensical's strict mode lets pass; part of `hatch run docs:build`.

Strict mode reports Markdown links and anchors that lead nowhere. This check adds:

- pages of the navigation that do not exist, and pages that are missing from it
- links, anchors, pictures and other files of the built HTML, also where Markdown holds HTML
- scripts, styles, fonts and pictures from another host
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

ROOT = Path(__file__).parents[1]
LINKS = {"a": "href", "area": "href"}
ASSETS = {
    "audio": "src", "embed": "src", "iframe": "src", "img": "src", "link": "href",
    "object": "data", "script": "src", "source": "src", "video": "src",
}  # fmt: skip
CSS_URL = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""")


class Page(HTMLParser):
    """The ids of a page, and the addresses that it links to and loads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.assets: list[str] = []
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag names."""
        given = {name: value for name, value in attrs if value is not None}
        self.ids.update(given[name] for name in ("id", "name") if name in given)
        if address := given.get(LINKS.get(tag, "")):
            self.links.append(address)
        if address := given.get(ASSETS.get(tag, "")):
            self.assets.append(address)


def check() -> int:
    """Print each fault of the site in `site/`; return 1 if there is one."""
    faults = list(navigation_faults(ROOT / "mkdocs.yml", ROOT / "docs"))
    faults = faults or list(
        site_faults(ROOT / "site")
    )  # every page links to the navigation's pages
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults" if faults else "navigation, links, anchors and files are right")
    return 1 if faults else 0


def navigation_faults(config: Path, docs: Path) -> Iterator[str]:
    """Compare the pages that the navigation names with those that exist."""
    named = list(navigation_pages(yaml.safe_load(config.read_text("utf-8"))["nav"]))
    existing = {file.relative_to(docs).as_posix() for file in docs.rglob("*.md")}
    for page in sorted(set(named) - existing):
        yield f"mkdocs.yml: the navigation names {page}, which does not exist"
    for page in sorted(existing - set(named)):
        yield f"mkdocs.yml: docs/{page} is missing from the navigation"
    for page in sorted({page for page in named if named.count(page) > 1}):
        yield f"mkdocs.yml: the navigation names {page} twice"


def navigation_pages(nav: Any) -> Iterator[str]:
    """Return the pages that a navigation names."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for each in nav.values():
            yield from navigation_pages(each)
    else:
        for each in nav:
            yield from navigation_pages(each)


def site_faults(site: Path) -> Iterator[str]:
    """Follow each address in the HTML and the styles of `site`."""
    pages = {file: Page(file) for file in sorted(site.rglob("*.html"))}
    for file, page in pages.items():
        where = file.relative_to(site)
        for address in {*page.links, *page.assets}:
            if reason := _fault(address, file, site, pages, loaded=address in page.assets):
                yield f"{where}: {address}: {reason}"
    for style in sorted(site.rglob("*.css")):
        for address in CSS_URL.findall(style.read_text("utf-8")):
            yield f"{style.relative_to(site)}: {address}: from another host"


def _fault(
    address: str, file: Path, site: Path, pages: dict[Path, Page], *, loaded: bool
) -> str | None:
    parts = urlsplit(address)
    if parts.scheme in ("data", "mailto", "javascript"):
        return None
    if parts.scheme or parts.netloc:
        return "from another host" if loaded else None
    path = unquote(parts.path)
    start = site if path.startswith("/") else file.parent
    target = (start / path.lstrip("/")).resolve() if path else file
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site.resolve()) or not target.is_file():
        return "no such file"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        return "no such anchor"
    return None
