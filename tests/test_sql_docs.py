"""Tests of docs/how-to/query.md: the questions, a join, and copying a version to S3."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from events_analytics.ddl.statements import ddl
from events_analytics.settings import Engine
from events_analytics.versions.layout import Layout
from events_analytics.versions.names import file_name
from line_support.sql_engines import Duck
from line_support.sql_rows import CONTRACT, T, at, story
from line_support.sql_tables import publish, write_raw

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to" / "query.md").read_text("utf-8")
QUESTIONS = sorted((ROOT / "sql").glob("*.sql"))
VERSION = "v20261124T120000123456Z_3f2a91c0"
Publishing = Callable[..., subprocess.CompletedProcess[str]]


def test_the_page_lists_the_questions() -> None:
    """docs/how-to/query.md lists each file of `sql/` with the question in its first line."""
    listed = re.findall(r"\| `sql/(\w+)\.sql` \| (.+) \|", PAGE)
    asked = [
        (path.stem, path.read_text("utf-8").splitlines()[0].removeprefix("-- "))
        for path in QUESTIONS
    ]
    assert listed == asked


def test_the_page_joins_the_small_layout(spark: SparkSession, tmp_path: Path) -> None:
    """The page's join gives each row of the selected days with its user's metrics."""
    write_raw(spark, story(), tmp_path / "raw", 1)
    publish(spark, tmp_path / "raw", tmp_path / Layout.USERS, Layout.USERS, T)
    (join,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    rows = Duck(tmp_path, Layout.USERS).query(join.replace("2026-01-01", "2026-01-12"))
    expected = [
        (*dict(row).values(), row.event_time.date(), rich.u_count, rich.u_mp_ea)
        for row, rich in zip(story(), CONTRACT.enrich(story(), T), strict=True)
        if row.event_time and row.event_time >= at(12, 0)
    ]
    assert Counter(rows) == Counter(expected)


AWS = """\
#!/bin/sh
echo "$@" >> "$FAKE/calls"
test "$1" = s3 || exit 0
to="$FAKE/$(echo "$4" | sed 's|^s3://||')"
mkdir -p "$to" && cp "$3"/${8} "$to"
test -z "${REPLACED:-}" || mv "$3" "$3.old"
"""
"""A fake `aws` that copies to a folder. With $REPLACED, the target changes meanwhile."""


@pytest.fixture
def publishing(tmp_path: Path) -> Publishing:
    """Run the page's script on a target with one version and a fake `aws`."""
    target = tmp_path / "enriched"
    target.mkdir()
    for number in range(2):
        (target / file_name(VERSION, number)).write_text("rows")
    (tmp_path / "bin").mkdir()
    aws = tmp_path / "bin" / "aws"
    aws.write_text(AWS)
    aws.chmod(0o755)
    (script,) = (
        text for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "set -" in text
    )
    script = script.replace("/data/enriched", str(target))

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{aws.parent}:{os.environ['PATH']}"
        environment |= {"PATH": path, "FAKE": str(tmp_path)}
        return subprocess.run(
            ["sh", "-c", script], env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_a_version_is_copied_to_s3(publishing: Publishing, tmp_path: Path) -> None:
    """The page's script copies a version to its own folder, then moves the table there."""
    assert publishing().returncode == 0
    copied = tmp_path / "bucket" / "events" / "enriched" / VERSION
    assert {path.name for path in copied.iterdir()} == {file_name(VERSION, n) for n in range(2)}
    *_, last = (tmp_path / "calls").read_text().splitlines()
    location = f"s3://bucket/events/enriched/{VERSION}/"
    assert f"ALTER TABLE events.enriched_events SET LOCATION '{location}'" in last
    text = ddl(
        Engine.ATHENA,
        CONTRACT,
        "raw",
        str(tmp_path / "enriched"),
        Layout.EVENTS,
        "s3://bucket/events",
    )
    assert f"LOCATION '{location}'" in text


def test_a_version_replaced_meanwhile_is_not_shown(publishing: Publishing, tmp_path: Path) -> None:
    """If the target changes during the copy, the table's location does not change."""
    done = publishing(REPLACED="yes")
    assert done.returncode == 1
    assert "start again" in done.stderr
    assert "ALTER" not in (tmp_path / "calls").read_text()
