"""`events-loadgen`: its verbs."""

from __future__ import annotations

from collections.abc import Sequence

from events_loadgen.settings import RunSettings, SimulateSettings
from events_schema.runtime.command import Command, Verb

COMMAND = Command(
    "events-loadgen",
    "The load generator: simulates clients, and runs the whole line on one machine.",
    {
        "run": Verb(
            RunSettings,
            "events_loadgen.load.load:run",
            "events-loadgen run --token SECRET --events 1000",
        ),
        "simulate": Verb(
            SimulateSettings,
            "events_loadgen.line.command:simulate",
            "events-loadgen simulate --keep --dir ./line",
        ),
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return COMMAND.run(arguments)
