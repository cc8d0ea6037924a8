"""`events-loadgen`: posts generated events, or runs the whole line on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from events_loadgen.errors import ExtraMissing
from events_loadgen.load.load import run
from events_loadgen.settings import RunSettings, SimulateSettings
from events_schema.runtime.command import Verb, run_command

_SIMULATED_WITH = ("events_ingest", "events_stream", "events_analytics", "duckdb", "psutil")


def simulate(settings: SimulateSettings) -> None:
    """Run the line. Raises `EventsError`; `ExtraMissing` where only the base is installed."""
    missing = [name for name in _SIMULATED_WITH if find_spec(name) is None]
    if missing:
        raise ExtraMissing(
            f"simulate needs {', '.join(missing)}; pip install 'events-loadgen[simulate]'"
        )
    from events_loadgen.line.simulation import run_simulation  # noqa: PLC0415  # needs the extra

    run_simulation(settings)


_VERBS: Mapping[str, Verb[Any]] = {
    "run": Verb(RunSettings, run),
    "simulate": Verb(SimulateSettings, simulate),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("events-loadgen", _VERBS, arguments)
