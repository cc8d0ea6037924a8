"""The batch job: reads the raw table, enriches its rows, publishes the result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession

from events_analytics.enrichment import enrich
from events_analytics.manifest import FileRows, Manifest
from events_analytics.publish import open_versions
from events_analytics.session import spark_errors
from events_analytics.sink import check_rows, count_users, write
from events_analytics.source import RawFiles, find_source, list_raw, read_raw
from events_schema.errors import PublishError, UsageError
from events_schema.layout import TableLayout


@dataclass(frozen=True)
class Job:
    """One run: the raw table's folder, the enriched one's, and the time of the metrics.

    `processing_time` has a zone; `keep_versions` is how many old versions stay beside the
    new one; `allow_empty` lets a source without rows become a result without rows.
    """

    source: str
    target: str
    processing_time: datetime
    allow_empty: bool = False
    keep_versions: int = 1


def run(
    spark: SparkSession,
    source: Path,
    target: Path,
    processing_time: datetime,
    *,
    allow_empty: bool = False,
    keep_versions: int = 1,
) -> Manifest:
    """Publish the enriched rows of `source` as `target` and return the new version's manifest.

    `spark` has the settings of `events_schema.spark.SESSION_SETTINGS`. Raises `UsageError` for
    a `processing_time` without a zone, and what `run_job` raises.
    """
    job = Job(str(source), str(target), processing_time, allow_empty, keep_versions)
    return run_job(job, lambda: nullcontext(spark))


def run_job(
    job: Job,
    session: Callable[[], AbstractContextManager[SparkSession]],
    before_publish: Callable[[], None] = lambda: None,
) -> Manifest:
    """Carry out `job`, starting Spark once all else is checked; return the version's manifest.

    `before_publish` is called when the result is complete and Spark no longer needed. Raises
    `AnalyticsError`, `PublishError`, `ColumnsMissing` and `AlreadyLocked`; the old result then
    stays.
    """
    if job.processing_time.tzinfo is None:
        raise UsageError("the processing time has no zone; give one, such as UTC")
    layout = TableLayout.at(job.target)
    folder = find_source(job.source)
    _check_apart(folder, layout)
    raw = list_raw(folder, allow_empty=job.allow_empty)
    with open_versions(layout) as versions:
        created_time = datetime.now(UTC)
        version = versions.new(created_time)
        with session() as spark, spark_errors():
            files, users = _stage(spark, raw, job, versions.staging(version), version)
        before_publish()
        manifest = Manifest(
            version=version,
            created_time=created_time,
            processing_time=job.processing_time.astimezone(UTC),
            rows=check_rows(files, raw.rows),
            users=users,
            files=files,
            source=str(raw.folder),
            raw_files=raw.files,
        )
        versions.publish(manifest, job.keep_versions)
    return manifest


def _stage(
    spark: SparkSession, raw: RawFiles, job: Job, staging: Path, version: str
) -> tuple[tuple[FileRows, ...], int]:
    enriched = enrich(read_raw(spark, raw), job.processing_time)
    files = write(enriched, staging, version, raw.bytes)
    return files, count_users(enriched, staging)


def _check_apart(source: Path, layout: TableLayout) -> None:
    """Refuse a target that would be read as source, or be taken away with it."""
    for one, other in (
        (source, layout.target),
        (layout.target, source),
        (source, layout.versions),
    ):
        if one.is_relative_to(other):
            raise PublishError(
                f"source {source} and target {layout.target} lie one in the other; "
                f"give folders that are apart"
            )
