"""Simulate clients, prove that no event is lost, and run the whole line on one machine.

Names are imported on first use, so that `--help` and other programs load only what they need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from events_loadgen.errors import LoadgenError
    from events_loadgen.load.classic import classic_events
    from events_loadgen.load.client import post_events
    from events_loadgen.load.report import Report
    from events_loadgen.load.retries import RetryPolicy
    from events_loadgen.processes.ports import free_port

__all__ = [
    "LoadgenError",
    "Report",
    "RetryPolicy",
    "classic_events",
    "free_port",
    "post_events",
]

_MODULES = {
    "LoadgenError": "events_loadgen.errors",
    "Report": "events_loadgen.load.report",
    "RetryPolicy": "events_loadgen.load.retries",
    "classic_events": "events_loadgen.load.classic",
    "free_port": "events_loadgen.processes.ports",
    "post_events": "events_loadgen.load.client",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
