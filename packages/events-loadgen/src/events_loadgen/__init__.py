"""Simulates clients, proves that nothing was lost, runs the whole line on one machine."""

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
