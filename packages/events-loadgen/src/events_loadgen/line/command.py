"""The function behind `events-loadgen simulate`."""

from __future__ import annotations

from importlib.util import find_spec

from events_loadgen.errors import ExtraMissing
from events_loadgen.settings import SimulateSettings

_SIMULATED_WITH = ("events_ingest", "events_stream", "events_analytics", "duckdb", "psutil")


def simulate(settings: SimulateSettings) -> None:
    """Run the line. Raises `EventsError`; `ExtraMissing` if the extra is not installed."""
    contract = settings.load_contract()
    missing = [name for name in _SIMULATED_WITH if find_spec(name) is None]
    if missing:
        raise ExtraMissing(f"simulate needs {', '.join(missing)}; install events-loadgen[simulate]")
    from events_loadgen.line.simulation import run_simulation  # noqa: PLC0415  # needs the extra

    run_simulation(settings, contract)
