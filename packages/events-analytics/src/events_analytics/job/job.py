"""The batch job: reads the raw table, enriches its rows, publishes the result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict, Unpack

from pyspark.sql import DataFrame, SparkSession

from events_analytics.job.enrichment import user_metrics
from events_analytics.job.sink import (
    check_rows,
    name_files,
    read_users,
    row_count,
    write_events,
    write_users,
    written_files,
)
from events_analytics.raw.files import RawFiles, list_raw
from events_analytics.raw.source import frequent_actions, read_raw
from events_analytics.session.session import spark_errors
from events_analytics.versions.layout import Layout, SortBy
from events_analytics.versions.manifest import Manifest
from events_analytics.versions.publish import Versions, open_versions
from events_schema import Contract, Event
from events_schema.enrichment import WINDOW
from events_schema.runtime.errors import PublishError, UsageError
from events_schema.tables.locations import find_folder
from events_schema.tables.paths import TablePaths

_USER_TYPES = Layout.USERS.column_types({})


class JobOptions(TypedDict, total=False):
    """What a job can be told beyond its folders and its time."""

    allow_empty: bool
    """Let a source without rows become a result without rows."""
    keep_versions: int
    """How many old versions stay beside the new one."""
    layout: Layout
    """What is published: events with metrics, or the metrics alone."""
    window: timedelta
    """How long before the processing time events are counted in `u_count`."""
    since: date | timedelta | None
    """The first day of the rows, or how long before the processing time's day it is."""
    files: int | None
    """How many files there are to be; of about 128 MiB where not given."""
    sort_by: SortBy
    """In which order rows lie."""


@dataclass(frozen=True)
class Job:
    """One run: the contract, the raw table's folder, the enriched one's, the metrics' time.

    `processing_time` has a zone. `JobOptions` describes the others. Raises `UsageError` for
    what goes together with nothing.
    """

    contract: Contract[Any]
    source: str
    target: str
    processing_time: datetime
    allow_empty: bool = False
    keep_versions: int = 1
    layout: Layout = Layout.EVENTS
    window: timedelta = WINDOW
    since: date | timedelta | None = None
    files: int | None = None
    sort_by: SortBy = SortBy.DAY

    def __post_init__(self) -> None:
        if self.processing_time.tzinfo is None:
            raise UsageError("the processing time has no zone; give one, such as UTC")
        if self.layout is Layout.USERS and (self.since or self.sort_by is not SortBy.DAY):
            raise UsageError(
                "--layout users holds a row for each user, of whatever day; "
                "leave out --since and --sort-by"
            )

    @property
    def first_day(self) -> date | None:
        """The first day of the rows; None for all days."""
        if isinstance(self.since, timedelta):
            return (self.processing_time.astimezone(UTC) - self.since).date()
        return self.since


def run(
    spark: SparkSession,
    contract: Contract[Any],
    source: Path,
    target: Path,
    processing_time: datetime,
    **options: Unpack[JobOptions],
) -> Manifest:
    """Publish the enriched rows of `source` as `target` and return the new version's manifest.

    A raw file that lacks one of the contract's own columns has null in it.
    `spark` has the settings of `events_schema.spark.SESSION_SETTINGS`. Raises `UsageError` for
    a `processing_time` without a zone, and what `run_job` raises.
    """
    job = Job(contract, str(source), str(target), processing_time, **options)
    return run_job(job, lambda: nullcontext(spark))


def run_job(
    job: Job,
    session: Callable[[], AbstractContextManager[SparkSession]],
    before_publish: Callable[[], None] = lambda: None,
) -> Manifest:
    """Carry out `job`, starting Spark once all else is checked; return the version's manifest.

    `before_publish` is called when the result is complete and Spark no longer needed. Raises
    `EventsError`, such as `AnalyticsError`, `NotAnEvolution`, `SparkFailed`, `PublishError` and
    `AlreadyLocked`; the old result then stays.
    """
    paths = TablePaths.at(job.target)
    folder = find_folder("source", job.source)
    _check_apart(folder, paths)
    _check_evolves(job.contract, paths)
    raw = list_raw(folder, job.contract)
    shown = raw.since(job.first_day) if job.first_day else raw
    if not job.allow_empty:
        shown.check_not_empty()
    actions = frequent_actions(raw)
    types = job.layout.column_types(job.layout.own_types(job.contract))
    with open_versions(paths) as versions:
        _check_evolves(job.contract, paths)  # again, since nobody else publishes from here on
        created_time = datetime.now(UTC)
        version = versions.new(created_time)
        staging = versions.staging(version)
        with session() as spark, spark_errors():
            counted = read_raw(spark, raw, Event)
            metrics = user_metrics(counted, job.processing_time, job.window, actions)
            users = _stage(metrics, job, shown, staging)
        name_files(staging, version)
        files = written_files(staging, types)
        if job.layout is Layout.EVENTS:
            check_rows(row_count(files), shown.rows)
        before_publish()
        manifest = Manifest(
            version=version,
            created_time=created_time,
            processing_time=job.processing_time.astimezone(UTC),
            rows=row_count(files),
            users=users,
            files=files,
            source=str(raw.folder),
            raw_files=raw.manifest,
            layout=job.layout,
            window=job.window,
            since=job.first_day,
            own_types=dict(job.layout.own_types(job.contract)),
        )
        versions.publish(manifest, job.keep_versions)
    return manifest


def _stage(metrics: DataFrame, job: Job, shown: RawFiles, staging: Path) -> int:
    """Write the result to `staging` by way of each user's metrics; return how many users."""
    if job.layout is Layout.USERS:
        write_users(metrics, staging, job.files)
        return row_count(written_files(staging, _USER_TYPES))
    folder = staging / "users"
    write_users(metrics, folder)
    users = row_count(written_files(folder, _USER_TYPES))
    written = read_users(metrics.sparkSession, folder)
    write_events(shown, job.contract, written, users, staging, files=job.files, sort_by=job.sort_by)
    return users


def _check_evolves(contract: Contract[Any], paths: TablePaths) -> None:
    """Refuse a contract without own columns that the published rows have.

    A result whose manifest cannot be read is replaced, as `check` advises.
    """
    try:
        manifest = Versions(paths).manifest()
    except (OSError, PublishError, ValueError):
        return
    if manifest is not None:
        contract.check_evolves(manifest.own_types, f"target {paths.target}")


def _check_apart(source: Path, paths: TablePaths) -> None:
    """Refuse a target that would be read as source, or be taken away with it."""
    for one, other in (
        (source, paths.target),
        (paths.target, source),
        (source, paths.versions),
    ):
        if one.is_relative_to(other):
            raise PublishError(
                f"source {source} and target {paths.target} lie one in the other; "
                f"give folders that are apart"
            )
