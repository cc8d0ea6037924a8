"""`events-ingest`: its verbs."""

from __future__ import annotations

from collections.abc import Sequence

from events_ingest.settings import ServeSettings
from events_schema.runtime.command import Verb, run_command

_VERBS = {"serve": Verb(ServeSettings, "events_ingest.server.command:serve")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("events-ingest", _VERBS, arguments)
