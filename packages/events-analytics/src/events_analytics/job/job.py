"""The batch job: it reads the raw table, enriches its rows and publishes the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict, Unpack

from pyspark.sql import SparkSession

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
from events_analytics.raw.steady import noticing_gone, steadily
from events_analytics.session.session import spark_errors
from events_analytics.versions.layout import Layout, SortBy
from events_analytics.versions.manifest import FileRows, Manifest
from events_analytics.versions.publish import Versions, open_versions
from events_schema import Contract, Event
from events_schema.enrichment import WINDOW
from events_schema.runtime.errors import PublishError, UsageError
from events_schema.runtime.files import remove_folder
from events_schema.tables.locations import find_folder
from events_schema.tables.paths import TablePaths

_USER_TYPES = Layout.USERS.column_types({})


class JobOptions(TypedDict, total=False):
    """The options of a job."""

    allow_empty: bool
    """Publish a result without rows if the source has no rows."""
    keep_versions: int
    """How many old versions to keep beside the new one."""
    layout: Layout
    """What to publish: events with metrics, or only the metrics."""
    window: timedelta
    """How long before the processing time `u_count` starts to count events."""
    since: date | timedelta | None
    """The first day of the rows, or how long it is before the day of the processing time."""
    files: int | None
    """How many files to write; if None, files have about 128 MiB."""
    sort_by: SortBy
    """The order of the rows."""


@dataclass(frozen=True)
class Job:
    """One run: its contract, its source and target folders, and its processing time.

    `processing_time` must have a zone. `JobOptions` describes the other fields. Raises
    `UsageError` for fields that cannot be combined.
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
            raise UsageError("the processing time has no zone; give one, for example UTC")
        if self.layout is Layout.USERS and (self.since or self.sort_by is not SortBy.DAY):
            raise UsageError(
                "--layout users has one row per user, and these have no day; "
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

    If a raw file lacks one of the contract's own columns, its values are null.
    `spark` must have the settings of `events_schema.spark.SESSION_SETTINGS`. Raises `UsageError`
    for a `processing_time` without a zone, and the errors of `run_job`.
    """
    job = Job(contract, str(source), str(target), processing_time, **options)
    return run_job(job, lambda: nullcontext(spark))


def run_job(
    job: Job,
    session: Callable[[], AbstractContextManager[SparkSession]],
    before_publish: Callable[[], None] = lambda: None,
) -> Manifest:
    """Run `job` and return the new version's manifest. Spark starts after all other checks.

    If raw files disappear before they are read, the raw table is listed and read again, a few
    times. `before_publish` is called when the result is complete and Spark is no longer needed.

    Raises an `EventsError`, for example `AnalyticsError`, `NotAnEvolution`, `SparkFailed`,
    `TableReplaced`, `PublishError` or `AlreadyLocked`; the old result then stays.
    """
    paths = TablePaths.at(job.target)
    folder = find_folder("source", job.source)
    _check_apart(folder, paths)
    _check_evolves(job.contract, paths)
    source = steadily(lambda: _list_source(job, folder))
    with open_versions(paths) as versions:
        _check_evolves(job.contract, paths)  # again: from here on, no other run can publish
        created_time = datetime.now(UTC)
        version = versions.new(created_time)
        staging = versions.staging(version)
        with session() as spark:
            source, users = _stage_steadily(spark, job, source, staging)
        files = _finish_staging(job, source, staging, version)
        before_publish()
        manifest = Manifest(
            version=version,
            created_time=created_time,
            processing_time=job.processing_time.astimezone(UTC),
            rows=row_count(files),
            users=users,
            files=files,
            source=str(folder),
            raw_files=source.raw.manifest,
            raw_commit=source.raw.commit,
            layout=job.layout,
            window=job.window,
            since=job.first_day,
            own_types=dict(job.layout.own_types(job.contract)),
        )
        versions.publish(manifest, job.keep_versions)
    return manifest


@dataclass(frozen=True)
class _Source:
    """The raw table as listed for a job: all files, those whose rows are published, and actions."""

    raw: RawFiles
    shown: RawFiles
    frequent_actions: Sequence[str]


def _list_source(job: Job, folder: Path) -> _Source:
    raw = list_raw(folder, job.contract)
    shown = raw.since(job.first_day) if job.first_day else raw
    if not job.allow_empty:
        shown.check_not_empty()
    with noticing_gone(raw.paths):
        return _Source(raw, shown, frequent_actions(raw))


def _stage_steadily(
    spark: SparkSession, job: Job, source: _Source, staging: Path
) -> tuple[_Source, int]:
    """Write the result to `staging`; return what it was made from, and the number of users.

    If files of `source` disappear meanwhile, it is listed again.
    """
    listed = [source]  # for the first try, before Spark started

    def stage() -> tuple[_Source, int]:
        remove_folder(staging)
        now = listed.pop() if listed else _list_source(job, source.raw.folder)
        with noticing_gone(now.raw.paths), spark_errors():
            return now, _stage(spark, job, now, staging)

    return steadily(stage)


def _stage(spark: SparkSession, job: Job, source: _Source, staging: Path) -> int:
    """Compute each user's metrics, write the result to `staging`, return the number of users."""
    counted = read_raw(spark, source.raw, Event)
    metrics = user_metrics(counted, job.processing_time, job.window, source.frequent_actions)
    if job.layout is Layout.USERS:
        write_users(metrics, staging, job.files)
        return row_count(written_files(staging, _USER_TYPES))
    folder = staging / "users"
    write_users(metrics, folder)
    users = row_count(written_files(folder, _USER_TYPES))
    written, shown = read_users(spark, folder), source.shown
    write_events(shown, job.contract, written, users, staging, files=job.files, sort_by=job.sort_by)
    return users


def _finish_staging(job: Job, source: _Source, staging: Path, version: str) -> tuple[FileRows, ...]:
    """Name the files in `staging` after the version, and return them after checking them."""
    name_files(staging, version)
    files = written_files(staging, job.layout.column_types(job.layout.own_types(job.contract)))
    if job.layout is Layout.EVENTS:
        check_rows(row_count(files), source.shown.rows)
    return files


def _check_evolves(contract: Contract[Any], paths: TablePaths) -> None:
    """Check that the contract has all own columns of the published rows.

    A result whose manifest cannot be read is replaced, as `check` advises.
    """
    try:
        manifest = Versions(paths).manifest()
    except (OSError, PublishError, ValueError):
        return
    if manifest is not None:
        contract.check_evolves(manifest.own_types, f"target {paths.target}")


def _check_apart(source: Path, paths: TablePaths) -> None:
    """Check that source and target do not overlap, since the job would read or replace both."""
    for one, other in (
        (source, paths.target),
        (paths.target, source),
        (source, paths.versions),
    ):
        if one.is_relative_to(other):
            raise PublishError(
                f"source {source} and target {paths.target} overlap; give separate folders"
            )
