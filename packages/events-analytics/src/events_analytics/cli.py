"""`events-analytics`: its verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from events_analytics.settings import CheckSettings, DdlSettings, ReportSettings, RunSettings
from events_schema.runtime.command import Verb, run_command

_VERBS: Mapping[str, Verb[Any]] = {
    "run": Verb(RunSettings, "events_analytics.job.command:run"),
    "check": Verb(CheckSettings, "events_analytics.check.display:check"),
    "report": Verb(ReportSettings, "events_analytics.report.command:report"),
    "ddl": Verb(DdlSettings, "events_analytics.ddl.statements:print_ddl"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("events-analytics", _VERBS, arguments)
