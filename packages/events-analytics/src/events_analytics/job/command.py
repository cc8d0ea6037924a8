"""The command `events-analytics run`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from events_analytics.job.job import Job, run_job
from events_analytics.job.textfile import writing_metrics
from events_analytics.session.session import session
from events_analytics.session.signals import interruptible
from events_analytics.settings import RunSettings
from events_schema import Contract
from events_schema.runtime.java.find import find_java


def run(settings: RunSettings) -> None:
    """Run the job once, print what was published, and write metrics if a file is given."""
    contract = settings.load_contract()
    started = time.monotonic()
    with writing_metrics(settings.metrics_file, settings.target):
        find_java()
        with interruptible() as signals:
            published = run_job(
                make_job(settings, contract, datetime.now(UTC)),
                lambda: session(settings),
                before_publish=signals.ignore,
            )
        seconds = time.monotonic() - started
        print(
            f"published {published.rows} rows of {published.users} users "
            f"as version {published.version} in {seconds:.1f} s",
            flush=True,
        )


def make_job(settings: RunSettings, contract: Contract[Any], now: datetime) -> Job:
    """Return the job for these flags; its processing time is `now` if they do not set one."""
    return Job(
        contract=contract,
        source=settings.source,
        target=settings.target,
        processing_time=settings.processing_time or now,
        allow_empty=settings.allow_empty,
        keep_versions=settings.keep_versions,
        layout=settings.layout,
        window=settings.window,
        since=settings.since,
        files=settings.files,
        sort_by=settings.sort_by,
    )
