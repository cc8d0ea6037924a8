"""`/demo` as the collector serves it. tests/test_kept_line.py tests it in a browser."""

from __future__ import annotations

import re

import pytest

from events_ingest.cli import main
from events_schema.runtime.errors import UsageError
from ingest_support.collector_app import ask, collector

PAGE_FILES = ["demo/demo.svg", "demo/demo.css", "tracker.js", "demo/demo.js"]
KEY = "pk_demo http://127.0.0.1:8000"


@pytest.mark.parametrize("path", ["/demo", "/demo/config.json", *(f"/{at}" for at in PAGE_FILES)])
def test_the_page_is_off_by_default(path: str) -> None:
    """Without `--demo` only the tracker is served."""
    assert ask(collector(), "GET", path).status_code == (200 if path == "/tracker.js" else 404)


def test_the_page_and_all_that_it_names_is_served() -> None:
    """Every file comes from the collector, under a policy that allows nothing else."""
    app = collector(demo=True)
    page = ask(app, "GET", "/demo")
    assert page.status_code == 200
    assert re.findall(r'<(?:link|script)[^>]*(?:href|src)="([^"]+)"', page.text) == PAGE_FILES
    for name in PAGE_FILES:
        assert ask(app, "GET", f"/{name}").status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "connect-src 'self';" in page.headers["Content-Security-Policy"]


def test_the_page_may_read_the_numbers_that_it_is_told_of() -> None:
    """The page's policy allows the origin of the numbers; its settings have their URL and a key."""
    stats = "http://127.0.0.1:9000/stats"
    app = collector(
        allow_anonymous=False,
        demo=True,
        demo_stats=stats,
        public_key=(KEY, "other https://shop.example"),
    )
    policy = ask(app, "GET", "/demo").headers["Content-Security-Policy"]
    assert "connect-src 'self' http://127.0.0.1:9000;" in policy
    settings = ask(app, "GET", "/demo/config.json").json()
    assert settings == {"key": "pk_demo", "stats": stats}


def test_the_page_never_shows_a_secret() -> None:
    """A service's key never appears in the page, and does not suffice for it."""
    with pytest.raises(UsageError, match="--public-key"):
        collector(allow_anonymous=False, demo=True, token=("secret",))
    app = collector(allow_anonymous=False, demo=True, token=("secret",), public_key=(KEY,))
    for path in ("/demo", "/demo/config.json"):
        assert "secret" not in ask(app, "GET", path).text


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--token", "a", "--demo"], "--public-key"),
        (["--token", "a", "--demo-stats", "http://127.0.0.1:9000/"], "--demo"),
        (["--allow-anonymous", "--demo", "--demo-stats", "127.0.0.1:9000"], "--demo-stats"),
        (["--allow-anonymous", "--demo", "--demo-stats", "ftp://a/"], "--demo-stats"),
        (["--allow-anonymous", "--demo", "--demo-stats", "http:///stats"], "--demo-stats"),
        (["--allow-anonymous", "--demo", "--demo-stats", "http://a;b/"], "--demo-stats"),
        (["--allow-anonymous", "--demo", "--demo-stats", "http://a b/"], "--demo-stats"),
        (["--allow-anonymous", "--demo", "--demo-stats", "http://a:port/"], "--demo-stats"),
        (["--allow-anonymous", "--demo", "--demo-stats", "http://u:p@a/"], "--demo-stats"),
        (["--allow-anonymous", "--demo", "--demo-stats", ""], "--demo-stats"),
    ],
)
def test_flags_that_make_no_page_are_refused_in_one_line(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with 2 and says what to give."""
    assert main(["serve", "--port", "0", *flags]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
