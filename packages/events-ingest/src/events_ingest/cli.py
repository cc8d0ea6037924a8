"""`events-ingest`: its verbs."""

from __future__ import annotations

from collections.abc import Sequence

from events_ingest.settings import ServeSettings
from events_schema.runtime.command import Command, Verb

COMMAND = Command(
    "events-ingest",
    "The collector: accepts events over HTTP and writes them to Kafka.",
    {
        "serve": Verb(
            ServeSettings,
            "events_ingest.server.command:serve",
            "events-ingest serve --token SECRET",
        )
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return COMMAND.run(arguments)
