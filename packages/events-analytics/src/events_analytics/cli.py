"""`events-analytics`: its verbs."""

from __future__ import annotations

from collections.abc import Sequence

from events_analytics.settings import CheckSettings, DdlSettings, ReportSettings, RunSettings
from events_schema.runtime.command import Command, Verb

COMMAND = Command(
    "events-analytics",
    "The batch job: adds u_count and u_mp_ea to the raw events; then checks and shows them.",
    {
        "run": Verb(
            RunSettings,
            "events_analytics.job.command:run",
            "events-analytics run --source /data/raw --target /data/enriched",
        ),
        "check": Verb(
            CheckSettings,
            "events_analytics.check.display:check",
            "events-analytics check --target /data/enriched",
        ),
        "report": Verb(
            ReportSettings,
            "events_analytics.report.command:report",
            "events-analytics report --raw /data/raw --enriched /data/enriched",
        ),
        "ddl": Verb(
            DdlSettings,
            "events_analytics.ddl.statements:print_ddl",
            "events-analytics ddl --engine trino --location s3://bucket/events",
        ),
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return COMMAND.run(arguments)
