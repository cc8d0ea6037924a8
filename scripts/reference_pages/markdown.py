"""The Markdown that the generated pages are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_CODE_WITH_BAR = re.compile(r"`([^`]*\|[^`]*)`")
REGENERATE = "hatch run reference"


def page(title: str, source: str, *blocks: str) -> str:
    """Return a page with a title and a note for its editors; `source` is what it is made from."""
    note = f"<!-- Made from {source} by `{REGENERATE}`. Change it there. -->"
    return (
        "\n\n".join([f"# {title}", note, *(block.strip("\n") for block in blocks if block)]) + "\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """Return `text` on one line; a bar in code is HTML, since Markdown's dialects differ there."""
    line = _CODE_WITH_BAR.sub(lambda match: f"<code>{escape(match[1], quote=False)}</code>", text)
    return " ".join(line.split()).replace("|", "&#124;")


def code(text: str) -> str:
    """Return `text` as code."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    """Return texts as code, with commas."""
    return ", ".join(map(code, texts))


def sentence(text: str) -> str:
    """Return `text` with a capital and a full stop."""
    text = text.strip()
    if not text:
        return ""
    capital = text[0].upper() + text[1:]
    return capital if capital[-1] in ".:!?" else f"{capital}."


def anchor(heading: str) -> str:
    """Return the anchor of a heading."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
