"""Simulates clients, proves that nothing was lost, runs the whole line on one machine."""

from events_loadgen.classic import classic_events
from events_loadgen.client import post_events
from events_loadgen.errors import LoadgenError
from events_loadgen.processes.ports import free_port
from events_loadgen.report import Report
from events_loadgen.retries import RetryPolicy

__all__ = [
    "LoadgenError",
    "Report",
    "RetryPolicy",
    "classic_events",
    "free_port",
    "post_events",
]
