"""Simulate clients, prove that no event is lost, and run the whole line on one machine.

Names are imported on first use, so that `--help` and other programs load only what they need.
"""

from typing import TYPE_CHECKING

from events_schema.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "events_loadgen.errors": ("LoadgenError",),
        "events_loadgen.load.classic": ("classic_events",),
        "events_loadgen.load.client": ("post_events",),
        "events_loadgen.load.report": ("Report",),
        "events_loadgen.load.retries": ("RetryPolicy",),
        "events_loadgen.processes.ports": ("free_port",),
    },
)
