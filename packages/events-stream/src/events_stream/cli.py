"""`events-stream`: its verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from events_schema.runtime.command import Verb, run_command
from events_stream.settings import (
    ExpireSettings,
    FailedSettings,
    ReplaySettings,
    RunSettings,
    StatusSettings,
)

_VERBS: Mapping[str, Verb[Any]] = {
    "run": Verb(RunSettings, "events_stream.run.command:run"),
    "status": Verb(StatusSettings, "events_stream.commands.maintenance:status"),
    "failed": Verb(FailedSettings, "events_stream.commands.maintenance:failed"),
    "replay-failed": Verb(ReplaySettings, "events_stream.commands.maintenance:replay_failed"),
    "expire": Verb(ExpireSettings, "events_stream.commands.maintenance:expire_days"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("events-stream", _VERBS, arguments)
