"""`events-stream`: its verbs."""

from __future__ import annotations

from collections.abc import Sequence

from events_schema.runtime.command import Command, Verb
from events_stream.settings import (
    CompactSettings,
    EraseSettings,
    ExpireSettings,
    FailedSettings,
    ReplaySettings,
    RunSettings,
    StatusSettings,
)

COMMAND = Command(
    "events-stream",
    "The stream: reads events from Kafka and stores each of them once, as parquet by day.",
    {
        "run": Verb(
            RunSettings,
            "events_stream.run.command:run",
            "events-stream run --brokers kafka:9092 --target /data/raw "
            "--checkpoint /data/checkpoint",
        ),
        "status": Verb(
            StatusSettings,
            "events_stream.commands.maintenance:status",
            "events-stream status --target /data/raw",
        ),
        "failed": Verb(
            FailedSettings,
            "events_stream.commands.maintenance:failed",
            "events-stream failed --target /data/raw --summary",
        ),
        "replay-failed": Verb(
            ReplaySettings,
            "events_stream.commands.maintenance:replay_failed",
            "events-stream replay-failed --target /data/raw --dry-run",
        ),
        "compact": Verb(
            CompactSettings,
            "events_stream.commands.compact:compact_days",
            "events-stream compact --target /data/raw --apply",
        ),
        "erase": Verb(
            EraseSettings,
            "events_stream.commands.erase:erase_users",
            "events-stream erase --brokers kafka:9092 --target /data/raw --user-id 42 --apply",
        ),
        "expire": Verb(
            ExpireSettings,
            "events_stream.commands.maintenance:expire_days",
            "events-stream expire --target /data/raw --before 2026-01-01",
        ),
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return COMMAND.run(arguments)
