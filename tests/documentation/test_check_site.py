"""The check of the built site finds what strict mode lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from check_site import navigation_faults, site_faults


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site of two pages without a fault."""
    (tmp_path / "other").mkdir()
    (tmp_path / "picture.png").touch()
    (tmp_path / "index.html").write_text(
        '<a href="other/">page</a> <a href="other/#there">anchor</a> <a href="#here">here</a>'
        '<img src="picture.png"> <a href="https://spark.apache.org">elsewhere</a><p id="here"></p>'
    )
    (tmp_path / "other" / "index.html").write_text('<h2 id="there"></h2><a href="..">back</a>')
    return tmp_path


def test_a_site_without_faults_passes(site: Path) -> None:
    """Pages, anchors, pictures, and links to other hosts are right."""
    assert list(site_faults(site)) == []


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="none/">', "none/: no such file"),
        ('<a href="../..">', "../..: no such file"),
        ('<a href="../#nowhere">', "../#nowhere: no such anchor"),
        ('<img src="none.png">', "none.png: no such file"),
        ('<script src="https://cdn.example/a.js">', "https://cdn.example/a.js: from another host"),
        ('<link rel="stylesheet" href="//cdn.example/a.css">', "//cdn.example/a.css: from another"),
    ],
)
def test_a_fault_of_a_page_is_named(site: Path, html: str, fault: str) -> None:
    """Each fault names the page, the address and what is wrong with it."""
    (site / "other" / "index.html").write_text(f'<h2 id="there"></h2>{html}')

    (found,) = site_faults(site)

    assert found.startswith(f"other/index.html: {fault}")


def test_a_font_from_another_host_is_found_in_a_style(site: Path) -> None:
    """Styles load nothing from another host either."""
    (site / "a.css").write_text("@font-face { src: url(https://fonts.example/a.woff2) }")

    assert list(site_faults(site)) == ["a.css: https://fonts.example/a.woff2: from another host"]


def test_the_navigation_has_each_page_once(tmp_path: Path) -> None:
    """A page that is missing, left out or named twice is a fault."""
    (tmp_path / "docs").mkdir()
    for name in ("index.md", "left-out.md"):
        (tmp_path / "docs" / name).touch()
    config = tmp_path / "mkdocs.yml"
    config.write_text("nav: [index.md, {A: index.md}, {B: [none.md]}]")

    assert list(navigation_faults(config, tmp_path / "docs")) == [
        "mkdocs.yml: the navigation names none.md, which does not exist",
        "mkdocs.yml: docs/left-out.md is missing from the navigation",
        "mkdocs.yml: the navigation names index.md twice",
    ]
