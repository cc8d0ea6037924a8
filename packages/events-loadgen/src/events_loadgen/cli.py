"""`events-loadgen`: its verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from events_loadgen.settings import RunSettings, SimulateSettings
from events_schema.runtime.command import Verb, run_command

_VERBS: Mapping[str, Verb[Any]] = {
    "run": Verb(RunSettings, "events_loadgen.load.load:run"),
    "simulate": Verb(SimulateSettings, "events_loadgen.line.command:simulate"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("events-loadgen", _VERBS, arguments)
