"""`events-analytics`: runs the batch job, shows its result, and reports on the tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from events_analytics.check.display import read_published, show
from events_analytics.check.verification import verify
from events_analytics.ddl.statements import ddl
from events_analytics.job.job import run_job
from events_analytics.job.textfile import writing_metrics
from events_analytics.report.figures.raw import Scope
from events_analytics.report.output import check_output, write_output
from events_analytics.report.page.rendering import render_page
from events_analytics.report.reading import read_report
from events_analytics.report.tables import find_tables
from events_analytics.session.session import archived_session, session, spark_errors
from events_analytics.session.signals import interruptible
from events_analytics.settings import CheckSettings, DdlSettings, ReportSettings, RunSettings
from events_schema.runtime.command import Verb, run_command
from events_schema.runtime.java.find import find_java


def run(settings: RunSettings) -> None:
    """Run the job once, print what was published, and leave metrics where they are asked for."""
    with ExitStack() as afterwards, writing_metrics(settings.metrics_file, settings.target):
        _run(settings, afterwards)


def _run(settings: RunSettings, afterwards: ExitStack) -> None:
    started = time.monotonic()
    find_java()
    job = settings.job(datetime.now(UTC))
    with interruptible() as interruption:
        published = run_job(
            job,
            lambda: archived_session(settings, settings.class_archive, afterwards),
            before_publish=interruption.ignore,
        )
    seconds = time.monotonic() - started
    print(
        f"published {published.rows} rows of {published.users} users "
        f"as version {published.version} in {seconds:.1f} s",
        flush=True,
    )


def check(settings: CheckSettings) -> None:
    """Verify the published table and print it."""
    find_java()
    with interruptible():
        verified = verify(settings.target, settings.source, settings.sample)
        with session(settings) as spark, spark_errors():
            show(read_published(spark, verified.files))
    print(verified)


def report(settings: ReportSettings) -> None:
    """Write the report."""
    check_output(settings.destination)
    now = datetime.now(UTC)
    tables = find_tables(
        settings.raw,
        settings.enriched,
        settings.failed,
        required=settings.model_fields_set,
    )
    with interruptible() as interruption:
        found = read_report(tables, Scope(now, settings.since(now), settings.top))
        text = render_page(found) if settings.format == "html" else found.to_json()
        interruption.ignore()
        write_output(settings.destination, text)


def print_ddl(settings: DdlSettings) -> None:
    """Print the tables' SQL."""
    print(
        ddl(settings.engine, settings.source, settings.target, settings.layout, settings.location)
    )


_VERBS: Mapping[str, Verb[Any]] = {
    "run": Verb(RunSettings, run),
    "check": Verb(CheckSettings, check),
    "report": Verb(ReportSettings, report),
    "ddl": Verb(DdlSettings, print_ddl),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("events-analytics", _VERBS, arguments)
