"""`events-analytics`: runs the batch job and shows its result."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from events_analytics.check import published_files, read_published, show
from events_analytics.ddl import ddl
from events_analytics.interruption import interruptible
from events_analytics.job import Job, run_job
from events_analytics.session import session, spark_errors
from events_analytics.settings import CheckSettings, DdlSettings, RunSettings
from events_schema.command import Verb, run_command
from events_schema.java import find_java


def run(settings: RunSettings) -> None:
    """Run the job once and print what was published."""
    started = time.monotonic()
    find_java()
    job = Job(
        settings.source,
        settings.target,
        settings.processing_time or datetime.now(UTC),
        settings.allow_empty,
        settings.keep_versions,
    )
    with interruptible() as interruption:
        published = run_job(job, lambda: session(settings), before_publish=interruption.ignore)
    seconds = time.monotonic() - started
    print(
        f"published {published.rows} rows of {published.users} users "
        f"as version {published.version} in {seconds:.1f} s"
    )


def check(settings: CheckSettings) -> None:
    """Print the published table."""
    find_java()
    files = published_files(settings.target)
    with session(settings) as spark, spark_errors():
        show(read_published(spark, files))


def print_ddl(settings: DdlSettings) -> None:
    """Print the tables' SQL."""
    print(
        ddl(settings.engine, settings.source, settings.target, settings.layout, settings.location)
    )


_VERBS: Mapping[str, Verb[Any]] = {
    "run": Verb(RunSettings, run),
    "check": Verb(CheckSettings, check),
    "ddl": Verb(DdlSettings, print_ddl),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("events-analytics", _VERBS, arguments)
