"""The pages that say where code is: every path in them exists, and no folder is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "docs/explanation/architecture.md"
EXPLANATIONS = ["docs/explanation/architecture.md", "docs/explanation/reliability.md"]
TOPS = [".ci", "bench", "docs", "examples", "packages", "scripts", "sql", "tests"]
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
EXAMPLES = {"site/", "dist/", "packages/NAME/src/"}
"""What is made by a command, or stands for many."""


def tour() -> dict[str, list[str]]:
    """The folders of the tour, each with the files at which to start reading."""
    rows = re.findall(r"^\| `([\w/]+/)` \|.*\| (.*?) \|$", ARCHITECTURE.read_text(), re.MULTILINE)
    return {folder: re.findall("`(.+?)`", starts) for folder, starts in rows}


def source_of(folder: str) -> Path:
    """A folder of the tour: of a package, or at the root."""
    package = folder.partition("/")[0].replace("_", "-")
    inside = ROOT / "packages" / package / "src" / folder
    return inside if inside.is_dir() else ROOT / folder


def test_the_tour_starts_at_files_that_exist() -> None:
    """Each row names at least one file of its folder."""
    rows = tour()
    assert len(rows) > 30
    for folder, starts in rows.items():
        assert starts, folder
        assert all((source_of(folder) / start).is_file() for start in starts), (folder, starts)


def test_the_tour_visits_every_folder_of_every_package() -> None:
    """A new folder needs a row; the top of a package, with its settings and verbs, does not."""
    visited = {source_of(folder) for folder in tour()}
    rooms = {path.parent for path in ROOT.glob("packages/*/src/*/*/**/*.py")}
    assert rooms - visited == set()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", *EXPLANATIONS])
def test_paths_in_the_pages_exist(page: str) -> None:
    """They may start at the root, at a package's sources or anywhere below."""
    known = [str(path) for top in TOPS for path in (ROOT / top, *(ROOT / top).rglob("*"))]
    named = set(re.findall("`([^`\n]+)`", (ROOT / page).read_text()))
    paths = {text for text in named if PATH.fullmatch(text) and re.search(r"/|\.py$", text)}
    assert paths, page
    for text in sorted(paths - EXAMPLES):
        assert any(path.endswith(f"/{text.rstrip('/')}") for path in known), text
