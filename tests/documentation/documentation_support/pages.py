"""The pages of the documentation and their fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[3]
SHELL = {"sh", "bash", "console", "shell"}
_GLOBS = ("*.md", "docs/**/*.md", "packages/*/README.md", "examples/README.md")
_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*(?:" + "|".join(SHELL) + r")\b", re.MULTILINE)
_TITLE = re.compile(r'title="([^"]*)"')
_FILE = re.compile(r"\w[\w./-]*\.\w+")


@dataclass(frozen=True)
class Block:
    """A fenced block: the `text` between the fences, which open on this `line` of the page."""

    page: str
    line: int
    language: str
    title: str
    text: str
    refused: bool = False
    """Whether the answer that the page shows below is an error."""

    @property
    def file(self) -> str | None:
        """Where a reader saves it, if the title says so."""
        return self.title if _FILE.fullmatch(self.title) else None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Return the paths of all pages, relative to the repository."""
    found = {path for glob in _GLOBS for path in ROOT.glob(glob)}
    return sorted(str(path.relative_to(ROOT)) for path in found)


def blocks(page: str, text: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page, also those in lists, tabs and notes.

    Raises `ValueError` if it overlooks a fence of a shell.
    """
    text = (ROOT / page).read_text("utf-8") if text is None else text
    found = list(_blocks(page, text, 0))
    fences, shells = len(_FENCE.findall(text)), sum(each.language in SHELL for each in found)
    if fences != shells:
        raise ValueError(f"{page} has {fences} fences of a shell, and {shells} blocks were found")
    return [
        Block(**{**vars(block), "refused": following.language == "json" and _is_error(following)})
        for block, following in pairwise([*found, Block(page, 0, "", "", "")])
    ]


def _blocks(page: str, text: str, offset: int) -> Iterator[Block]:
    for token in MarkdownIt("commonmark").parse(text):
        line = offset + (token.map[0] if token.map else 0)
        if token.type == "fence":
            language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
            title = _TITLE.search(token.info)
            yield Block(page, line + 1, language, title[1] if title else "", token.content)
        elif token.type == "code_block":  # a tab or a note: its content is indented
            yield from _blocks(page, token.content, line)


def _is_error(block: Block) -> bool:
    return block.text.lstrip().startswith('{"error"')
