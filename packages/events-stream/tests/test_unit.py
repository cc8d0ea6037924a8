"""systemd's unit runs an existing command with existing flags, and stops it cleanly."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from events_schema.runtime.command import UNEXPECTED_EXIT_CODE, read_settings
from events_schema.runtime.errors import AddressUnavailable, AlreadyLocked, TableDamaged, UsageError
from events_stream.settings import RunSettings

UNIT = Path(__file__).parents[1] / "events-stream.service"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and not os.environ.get("CI"),
    reason="systemd-analyze is not installed",
)


@pytest.fixture
def unit() -> configparser.ConfigParser:
    """The sections of the unit."""
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parsed.read(UNIT)
    return parsed


def test_the_unit_runs_the_command_with_flags_that_it_has(unit: configparser.ConfigParser) -> None:
    """The unit uses existing flags, may write to its folders, and signals only Python."""
    service = unit["Service"]
    program, verb, *flags = shlex.split(service["ExecStart"])
    assert (program, verb) == ("/opt/events/bin/events-stream", "run")
    settings = read_settings(RunSettings, "events-stream run", flags)
    assert (settings.target, settings.checkpoint) == ("/data/raw", "/data/checkpoint")
    assert settings.metrics_port == 9108
    assert service["ReadWritePaths"] == unit["Unit"]["RequiresMountsFor"] == "/data"
    assert service["Environment"] == "XDG_CACHE_HOME=/var/cache"
    assert service["CacheDirectory"] == "events"  # so `user_cache_path` is a folder there
    assert service["KillMode"] == "mixed"


def test_the_unit_restarts_unless_a_person_must_look_first(unit: configparser.ConfigParser) -> None:
    """It restarts after all failures but wrong flags, what is taken, refusals and defects."""
    service = unit["Service"]
    prevented = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert AddressUnavailable.exit_code == AlreadyLocked.exit_code
    assert service["Restart"] == "on-failure"
    assert prevented == {
        UsageError.exit_code,
        AlreadyLocked.exit_code,
        TableDamaged.exit_code,
        UNEXPECTED_EXIT_CODE,
    }


@needs_systemd
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """systemd has no complaints about it."""
    (tmp_path / "bin").symlink_to(Path(sys.executable).parent)
    text = UNIT.read_text("utf-8").replace("/opt/events/bin", str(tmp_path / "bin"))
    (tmp_path / UNIT.name).write_text(text, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / UNIT.name],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
