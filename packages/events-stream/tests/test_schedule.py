"""The files that schedule compaction: each parses and calls the command correctly."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from cronsim import CronSim
from crontab import CronTab

from events_schema.runtime.command import read_settings
from events_schema.runtime.errors import AlreadyLocked
from events_stream.settings import CompactSettings
from events_stream.table.folder.open import open_for_maintenance, open_table
from stream_support.contracts import CONTRACT
from stream_support.envelopes import envelope
from stream_support.real_files import as_rows, rows, store_events

SCHEDULE = Path(__file__).parents[1] / "schedule"
UNITS = ("events-stream-compact.service", "events-stream-compact.timer")
START = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
NIGHTS = [datetime(2026, 11, day, 4, 30, tzinfo=UTC) for day in (24, 25, 26)]
EVENTS = [CONTRACT.stored.from_envelope(envelope()) for _ in range(3)]

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and not os.environ.get("CI"),
    reason="systemd-analyze is not installed",
)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that stands for /, with the command, a table and a log for `logger`."""
    (tmp_path / "opt/events").mkdir(parents=True)
    (tmp_path / "opt/events/bin").symlink_to(Path(sys.executable).parent)
    with open_table(str(tmp_path / "data/raw")) as table:
        for event in EVENTS:
            store_events(table, [event])
    logger = tmp_path / "usr/local/bin/logger"
    logger.parent.mkdir(parents=True)
    logger.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\ncat >> {tmp_path}/log\n')
    logger.chmod(0o755)
    return tmp_path


def text(name: str, machine: Path) -> str:
    """Return the file's text with paths in `machine`."""
    return re.sub(r"/(opt|usr/local|data)\b", rf"{machine}/\1", (SCHEDULE / name).read_text())


def run_by_cron(machine: Path) -> list[str]:
    """Run the crontab's line as cron does; return its messages to `logger`."""
    cron = CronTab(tab=text("events-stream-compact.cron", machine), user=False)
    (job,) = cron
    given = dict(cron.env or {})
    done = subprocess.run(
        [str(given["SHELL"]), "-c", str(job.command)],
        env={"HOME": str(machine), "LOGNAME": str(job.user), **given},
        cwd=machine,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")  # so cron sends no mail
    return (machine / "log").read_text().splitlines()


def test_the_crontab_compacts_every_night(machine: Path) -> None:
    """It compacts the table and logs this."""
    (job,) = CronTab(tabfile=str(SCHEDULE / "events-stream-compact.cron"), user=False)
    assert job.is_valid()
    assert job.user == "events"
    assert list(islice(CronSim(str(job.slices), START), 3)) == NIGHTS
    assert run_by_cron(machine) == [
        "-t events-stream-compact",
        "2026-01-31: 3 files are 1 now, 3 rows",
    ]
    assert rows(machine / "data/raw") == as_rows(EVENTS)


def test_the_crontab_waits_for_no_erasure(machine: Path) -> None:
    """While an erasure is at work, it logs this and changes nothing."""
    with open_for_maintenance(str(machine / "data/raw"), "events-stream erase"):
        _, line = run_by_cron(machine)
    assert "maintenance.lock is held by events-stream erase" in line
    assert len(list(machine.glob("data/raw/*/*.parquet"))) == 3


@pytest.mark.parametrize("name", UNITS)
@needs_systemd
def test_systemd_takes_the_units(tmp_path: Path, name: str) -> None:
    """systemd has no complaints about them."""
    (tmp_path / "opt/events").mkdir(parents=True)
    (tmp_path / "opt/events/bin").symlink_to(Path(sys.executable).parent)
    for each in UNITS:
        (tmp_path / each).write_text(text(each, tmp_path))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / name],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def unit(name: str) -> configparser.ConfigParser:
    """Return the sections of one of systemd's files."""
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # names have capitals
    parsed.read(SCHEDULE / name)
    return parsed


@needs_systemd
def test_the_timer_starts_the_service_every_night() -> None:
    """It starts at an hour of UTC, and a missed start is made up for."""
    timer = unit("events-stream-compact.timer")["Timer"]
    command = ["systemd-analyze", "calendar", "--iterations=3", f"--base-time={START:%F %T} UTC"]
    out = subprocess.run(
        [*command, timer["OnCalendar"]],
        env={**os.environ, "TZ": "Asia/Kolkata"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    times = re.findall(r"\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC$", out, re.MULTILINE)
    assert times == [f"{time:%F %T}" for time in NIGHTS]
    assert timer["Persistent"] == "yes"
    assert "Unit" not in timer  # so it starts the service with the same name


def test_the_service_runs_the_command_with_existing_flags() -> None:
    """The service may write to the table's folders, and a second command at work is fine."""
    parsed = unit("events-stream-compact.service")
    service = parsed["Service"]
    program, verb, *flags = shlex.split(service["ExecStart"])
    assert (program, verb) == ("/opt/events/bin/events-stream", "compact")
    settings = read_settings(CompactSettings, "events-stream compact", flags)
    assert (settings.target, settings.apply) == ("/data/raw", True)
    assert settings.older_than == timedelta(days=1)
    assert service["Type"] == "oneshot"
    assert service["ReadWritePaths"] == parsed["Unit"]["RequiresMountsFor"] == "/data"
    assert int(service["SuccessExitStatus"]) == AlreadyLocked.exit_code
    assert "Restart" not in service  # the next night is soon enough
