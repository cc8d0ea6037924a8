"""The files that schedule runs: each parses and calls the command correctly."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cronsim import CronSim
from crontab import CronTab

from analytics_support.raw_schema import RAW
from events_analytics.cli import main
from events_analytics.errors import Interrupted, MetricsNotWritten, NoData, Terminated
from events_analytics.settings import RunSettings
from events_schema.errors import NotAnEvolution
from events_schema.runtime.command import UNEXPECTED_EXIT_CODE, read_settings
from events_schema.runtime.errors import AlreadyLocked, UsageError
from events_schema.runtime.locks import exclusive_lock

SCHEDULE = Path(__file__).parents[1] / "schedule"
UNITS = ("events-analytics.service", "events-analytics.timer")
METRICS = "EVENTS_ANALYTICS_METRICS_FILE=/var/lib/prometheus/node-exporter/events-analytics.prom"
START = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
THREE_HOURS = [START.replace(hour=hour, minute=0) for hour in range(3, 24, 3)]
KEPT = ("JAVA_HOME", "PYTHONPATH")
"""Variables that the command may need here and that cron does not set."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and not os.environ.get("CI"),
    reason="systemd-analyze is not installed",
)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that stands for /, with the command, a table and a log for `logger`."""
    (tmp_path / "opt/events").mkdir(parents=True)
    (tmp_path / "opt/events/bin").symlink_to(Path(sys.executable).parent)
    (tmp_path / "var/lib/prometheus/node-exporter").mkdir(parents=True)
    (tmp_path / "data/raw").mkdir(parents=True)
    nulls = [pa.nulls(10, field.type) for field in RAW]
    pq.write_table(pa.table(nulls, schema=RAW), tmp_path / "data/raw/a.parquet")
    logger = tmp_path / "usr/local/bin/logger"
    logger.parent.mkdir(parents=True)
    logger.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\ncat >> {tmp_path}/log\n')
    logger.chmod(0o755)
    return tmp_path


def text(name: str, machine: Path) -> str:
    """Return the file's text with paths in `machine`."""
    return re.sub(r"/(opt|var|usr/local|data)\b", rf"{machine}/\1", (SCHEDULE / name).read_text())


def run_by_cron(machine: Path) -> list[str]:
    """Run the crontab's line as cron does, with metrics; return its messages to `logger`."""
    table = text("events-analytics.cron", machine)
    assert "# EVENTS_ANALYTICS_METRICS_FILE=" in table
    cron = CronTab(tab=table.replace("# EVENTS", "EVENTS"), user=False)
    (job,) = cron
    given = dict(cron.env or {})
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    quick = {"EVENTS_ANALYTICS_CONF": "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1"}
    done = subprocess.run(
        [str(given["SHELL"]), "-c", str(job.command)],
        env={"HOME": str(machine), "LOGNAME": str(job.user), **given, **kept, **quick},
        cwd=machine,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")  # so cron sends no mail
    told = (machine / "log").read_text().splitlines()
    (machine / "log").unlink()
    return told


@pytest.mark.extended
def test_the_crontab_starts_a_run_every_three_hours(machine: Path) -> None:
    """The run publishes, logs this, and writes metrics."""
    (job,) = CronTab(tabfile=str(SCHEDULE / "events-analytics.cron"), user=False)
    assert job.is_valid()
    assert job.user == "events"
    assert list(islice(CronSim(str(job.slices), START), 7)) == THREE_HOURS
    tag, line = run_by_cron(machine)
    assert tag == "-t events-analytics"
    assert line.startswith("published 10 rows of 0 users as version v")
    assert len(list((machine / "data/enriched").iterdir())) == 1
    (metrics,) = (machine / "var/lib/prometheus/node-exporter").iterdir()
    assert f'rows{{target="{machine}/data/enriched"}} 10.0' in metrics.read_text()


def test_a_run_refuses_while_another_holds_the_target(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with its own exit code and one line, also with cron, and writes no metrics."""
    target = machine / "data/enriched"
    versions = target.with_name("enriched.versions")
    versions.mkdir()
    with exclusive_lock(versions / "lock", "a run"):
        (_, line) = run_by_cron(machine)
        source = str(machine / "data/raw")
        assert main(["run", "--source", source, "--target", str(target)]) == 3
    assert line == capsys.readouterr().err.strip()
    assert line == (
        f"events-analytics: {versions}/lock is held by a run, process {os.getpid()}; stop it first"
    )
    assert not list((machine / "var/lib/prometheus/node-exporter").iterdir())


@pytest.mark.parametrize("name", UNITS)
@needs_systemd
def test_systemd_takes_the_units(machine: Path, name: str) -> None:
    """systemd has no complaints about them."""
    for each in UNITS:
        (machine / each).write_text(text(each, machine))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", machine / name],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{machine}:"},
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
def test_the_timer_starts_the_service_every_three_hours() -> None:
    """It starts by the hours of UTC, and a missed start is made up for."""
    timer = unit("events-analytics.timer")["Timer"]
    command = ["systemd-analyze", "calendar", "--iterations=7", f"--base-time={START:%F %T} UTC"]
    out = subprocess.run(
        [*command, timer["OnCalendar"]],
        env={**os.environ, "TZ": "Asia/Kolkata"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    times = re.findall(r"\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC$", out, re.MULTILINE)
    assert times == [f"{time:%F %T}" for time in THREE_HOURS]
    assert timer["Persistent"] == "yes"
    assert "Unit" not in timer  # so it starts the service with the same name


def test_the_service_runs_the_command_with_existing_flags() -> None:
    """The service may write to its folders, and knows the exit codes."""
    parsed = unit("events-analytics.service")
    service = parsed["Service"]
    program, verb, *flags = shlex.split(service["ExecStart"])
    assert (program, verb) == ("/opt/events/bin/events-analytics", "run")
    settings = read_settings(RunSettings, "events-analytics run", flags)
    assert (settings.source, settings.target) == ("/data/raw", "/data/enriched")
    assert (service["Type"], service["KillMode"]) == ("oneshot", "mixed")
    data, metrics = service["ReadWritePaths"].split()
    assert {data} == {str(Path(each).parent) for each in (settings.source, settings.target)}
    assert parsed["Unit"]["RequiresMountsFor"] == data
    assert metrics.removeprefix("-") in METRICS
    assert METRICS in (SCHEDULE / "events-analytics.service").read_text()
    fine = {int(code) for code in service["SuccessExitStatus"].split()}
    assert fine == {AlreadyLocked.exit_code, Interrupted.exit_code, Terminated.exit_code}
    prevented = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert prevented == {
        UsageError.exit_code,
        MetricsNotWritten.exit_code,
        NotAnEvolution.exit_code,
        UNEXPECTED_EXIT_CODE,
    }
    assert NoData.exit_code not in fine | prevented
