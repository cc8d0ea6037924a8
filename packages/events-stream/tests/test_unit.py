"""systemd's unit runs an existing command with existing flags, and stops it cleanly."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

from events_schema.runtime.command import read_settings
from events_stream.errors import Stalled, TableDamaged
from events_stream.settings import RunSettings

UNIT = Path(__file__).parents[1] / "events-stream.service"


def test_the_unit_runs_the_command_with_flags_that_it_has() -> None:
    """The unit uses existing flags, signals only Python, and does not retry refusals."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read(UNIT)
    service = unit["Service"]
    program, verb, *flags = shlex.split(service["ExecStart"])
    assert (Path(program).name, verb) == ("events-stream", "run")
    settings = read_settings(RunSettings, "events-stream run", flags)
    assert settings.target == "/var/lib/events/raw"
    assert settings.metrics_port == 9108
    assert service["Environment"] == "XDG_CACHE_HOME=/var/cache"
    assert service["CacheDirectory"] == "events"  # so `user_cache_path` is a folder there
    assert service["KillMode"] == "mixed"
    prevented = [int(code) for code in service["RestartPreventExitStatus"].split()]
    assert TableDamaged.exit_code in prevented
    assert Stalled.exit_code not in prevented
