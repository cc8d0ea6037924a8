"""`events-analytics report`: its flags, its output, and what it refuses."""

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from analytics_support.report_tables import DAY, write
from events_analytics.cli import main
from events_analytics.report import Report
from events_analytics.settings import ReportSettings
from events_schema import StoredEvent
from events_schema.runtime.command import read_settings

SCHEMA = Path(__file__).parents[4] / "docs" / "reference" / "report.schema.json"
START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A raw table with an event in each hour of two days, in the current folder."""
    rows = [
        StoredEvent(
            event_time=START + timedelta(hours=hour),
            user_id=hour,
            app_name="shop",
            event_action=None,
            event_category="page",
            event_value=None,
            event_id=str(hour),
            received_time=START + timedelta(hours=hour),
        )
        for hour in range(48)
    ]
    write(tmp_path / "raw" / DAY / "a.parquet", rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "raw"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the command in this process; return its exit code and the one line on stderr."""
    code = main(["report", *arguments])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("events-analytics: ")
    return code, line


def test_the_page_is_a_file_in_the_current_folder(
    raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default, it writes only report.html, which all users may read."""
    assert main(["report", "--raw", "raw"]) == 0
    assert capsys.readouterr().out == "wrote report.html\n"
    assert {path.name for path in raw.parent.iterdir()} == {"raw", "report.html"}
    page = raw.parent / "report.html"
    assert page.read_text().startswith("<!doctype html>")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(page.stat().st_mode) == 0o666 & ~umask


def test_a_report_replaces_the_old_one(raw: Path) -> None:
    """The new report replaces the file at the path, or the target of a link there."""
    (raw.parent / "old.html").write_text("old")
    (raw.parent / "link.html").symlink_to("old.html")
    assert main(["report", "--raw", "raw", "--output", "link.html"]) == 0
    assert (raw.parent / "link.html").is_symlink()
    assert (raw.parent / "old.html").read_text().startswith("<!doctype html>")


def test_json_is_printed_and_is_as_documented(
    raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON goes to standard output, matches the schema in docs, and parses as the model."""
    assert main(["report", "--raw", "raw", "--format", "json"]) == 0
    text = capsys.readouterr().out
    jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text()))
    assert Report.model_validate_json(text).to_json() == text
    assert json.loads(text)["events"] == 48


def test_the_documented_schema_is_the_models() -> None:
    """docs/reference/report.schema.json has every field and description of the model."""
    assert json.loads(SCHEMA.read_text()) == Report.model_json_schema(mode="serialization")


def test_hours_are_utc_hours_wherever_it_runs(raw: Path) -> None:
    """In New York, on the day when clocks go back, each hour has one event."""
    shown = subprocess.run(
        [sys.executable, "-m", "events_analytics", "report", "--raw", raw, "--format", "json"],
        env={**os.environ, "TZ": "America/New_York"},
        check=True,
        capture_output=True,
    ).stdout
    found = Report.model_validate_json(shown).over_time
    assert found
    assert [(each.start, each.events) for each in found.bins] == [
        (START + timedelta(hours=hour), 1) for hour in range(48)
    ]


def test_flags_are_environment_variables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults are those of the stream and of `run`, and variables set the same folders."""
    settings = read_settings(ReportSettings, "events-analytics report")
    assert (settings.raw, settings.enriched) == ("./events-data/raw", "./events-data/enriched")
    assert settings.destination == "report.html"
    monkeypatch.setenv("EVENTS_ANALYTICS_FORMAT", "json")
    assert read_settings(ReportSettings, "events-analytics report").destination == "-"


@pytest.mark.parametrize(
    ("days", "since"), [("1", (2026, 11, 24)), ("2", (2026, 11, 23)), ("30", (2026, 10, 26))]
)
def test_today_is_the_last_of_the_days(days: str, since: tuple[int, int, int]) -> None:
    """`--days` counts whole UTC days, and today is one of them."""
    settings = read_settings(ReportSettings, "events-analytics report", ["--days", days])
    first = settings.since(datetime(2026, 11, 24, 12, tzinfo=UTC))
    assert first
    assert first.timetuple()[:3] == since


@pytest.mark.parametrize(
    ("flag", "value", "code"),
    [
        ("--raw", "nothing", 1),
        ("--raw", "s3://bucket/raw", 1),
        ("--raw", "raw/" + DAY + "/a.parquet", 1),
        ("--enriched", "nothing", 1),
        ("--failed", "nothing", 1),
        ("--output", "nothing/report.html", 1),
        ("--output", "/proc/report.html", 1),
        ("--output", ".", 2),
        ("--format", "xml", 2),
        ("--days", "0", 2),
        ("--top", "0", 2),
    ],
)
def test_invalid_flags_are_refused(
    raw: Path, capsys: pytest.CaptureFixture[str], flag: str, value: str, code: int
) -> None:
    """One line names the flag or its value, and no report is written."""
    flags = {"--raw": "raw", flag: value}
    found, line = refused(capsys, *(word for pair in flags.items() for word in pair))
    assert found == code
    assert flag in line or value.partition("/report")[0] in line
    assert not (raw.parent / "report.html").exists()


def test_a_failing_report_leaves_the_old_one(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If a file cannot be read, the old report stays unchanged."""
    (raw / DAY / "b.parquet").write_bytes(b"no parquet")
    (raw.parent / "report.html").write_text("old")
    code, line = refused(capsys, "--raw", "raw")
    assert code == 1
    assert "b.parquet is not a complete parquet file" in line
    assert (raw.parent / "report.html").read_text() == "old"
    assert {path.name for path in raw.parent.iterdir()} == {"raw", "report.html"}
