"""Links of the pages outside the site: READMEs, changelogs, CONTRIBUTING, SECURITY."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reference_pages.markdown import anchor

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
CODE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def pages() -> list[str]:
    """Return the Markdown files outside docs/, whose links the build of the site checks."""
    found = (ROOT.glob(pattern) for pattern in ("*.md", "packages/*/*.md", "*/*.md"))
    names = {file.relative_to(ROOT).as_posix() for files in found for file in files}
    return sorted(name for name in names if not name.startswith(("docs/", ".", "dist/", "site/")))


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Return the file and the anchor of each link to something in this repository."""
    yield from LINK.findall(CODE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    return {anchor(heading) for heading in HEADING.findall(CODE.sub("", page.read_text("utf-8")))}


def test_there_are_pages_with_links() -> None:
    """The pages are found, and so are their links."""
    assert "README.md" in pages()
    assert any(links(ROOT / "README.md"))


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    """Every link names a file that exists and, if it has an anchor, one of its headings."""
    file = ROOT / page
    broken = [
        f"{path}#{fragment}" if fragment else path
        for path, fragment in links(file)
        if not (target := (file.parent / path) if path else file).exists()
        or (fragment and fragment not in anchors(target))
    ]

    assert broken == []
