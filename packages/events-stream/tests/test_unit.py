"""systemd's unit starts what there is, and stops it as the stream wants to be stopped."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

from events_schema.runtime.command import read_settings
from events_stream.errors import Stalled, TableDamaged
from events_stream.settings import RunSettings

UNIT = Path(__file__).parents[1] / "events-stream.service"


def test_the_unit_runs_the_command_with_flags_that_it_has() -> None:
    """And ends Python first, which ends its Java; refusals are not tried again."""
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
    assert service["CacheDirectory"] == "events"  # what `user_cache_path` then gives
    assert service["KillMode"] == "mixed"
    prevented = [int(code) for code in service["RestartPreventExitStatus"].split()]
    assert TableDamaged.exit_code in prevented
    assert Stalled.exit_code not in prevented
