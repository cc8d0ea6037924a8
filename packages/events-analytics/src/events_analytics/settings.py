"""The settings of the verbs of `events-analytics`."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from events_analytics.versions.layout import Layout, SortBy
from events_schema.enrichment import WINDOW
from events_schema.models.types import Time
from events_schema.runtime.contract import ContractSettings
from events_schema.runtime.flags import Day, Duration
from events_schema.runtime.session.settings import SparkSettings


class Engine(StrEnum):
    """An engine that `ddl` writes SQL for."""

    TRINO = "trino"
    PRESTO = "presto"
    ATHENA = "athena"
    DUCKDB = "duckdb"
    SPARK = "spark"


SAMPLE = 100
"""Of how many users `check` recomputes the metrics, unless told otherwise."""

_ENVIRONMENT = SettingsConfigDict(env_prefix="EVENTS_ANALYTICS_")
_SOURCE = Field(
    "./events-data/raw",
    description="the raw table's folder, or any of such files",
    min_length=1,
)
_TARGET = Field("./events-data/enriched", description="the enriched table's folder", min_length=1)
_DAY: TypeAdapter[date] = TypeAdapter(Day)
_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


def _read_day_or_duration(value: object) -> date | timedelta | None:
    if value is None:
        return None
    for known in (_DAY, _DURATION):
        with suppress(ValidationError):
            return known.validate_python(value)
    raise PydanticCustomError(
        "day_or_duration",
        "{text} is neither a day nor a duration; give YYYY-MM-DD, or such as '30 days'",
        {"text": repr(value)},
    )


def _check_suffix(file: Path) -> Path:
    if file.suffix != ".prom":
        raise PydanticCustomError(
            "metrics_file",
            "{file} does not end in .prom, and node_exporter reads no other; give NAME.prom",
            {"file": str(file)},
        )
    return file


MetricsFile = Annotated[Path, AfterValidator(_check_suffix)]


class RunSettings(SparkSettings, ContractSettings):
    """Add each user's metrics to the raw events and publish the result in one step.

    SIGINT or SIGTERM ends a run, and the old result stays; once the new one is being
    published, the run finishes.
    """

    model_config = _ENVIRONMENT

    source: str = _SOURCE
    target: str = _TARGET
    processing_time: Time | None = Field(
        None, description="the metrics' time, ISO-8601 with a zone; now where not given"
    )
    allow_empty: bool = Field(False, description="publish an empty result for an empty source")
    keep_versions: int = Field(1, description="how many old versions to keep", ge=0)
    layout: Layout = Field(
        Layout.EVENTS,
        description="publish each event with its user's metrics, or a row for each user alone",
    )
    window: Duration = Field(
        WINDOW, description="how long before the processing time u_count counts, as '3 hours'"
    )
    since: Annotated[date | timedelta | None, BeforeValidator(_read_day_or_duration)] = Field(
        None,
        description="publish the events of this day and later alone, YYYY-MM-DD or '30 days' "
        "before the processing time; the metrics still count them all",
    )
    files: int | None = Field(
        None, description="how many files to write (default: of 128 MiB)", ge=1, le=100_000
    )
    sort_by: SortBy = Field(
        SortBy.DAY, description="keep the order of days, or sort for queries by user (slower)"
    )
    metrics_file: MetricsFile | None = Field(
        None, description="write the run's metrics there, NAME.prom, for node_exporter"
    )


class CheckSettings(SparkSettings, ContractSettings):
    """Verify the published table and show it: 50 rows, how many there are, and the schema.

    Its files, schema and rows are compared with its manifest and the raw files that it was made
    from, and the metrics of some users are recomputed from them. Ends with 5 where it is not what
    it should be. Nothing is changed.
    """

    model_config = _ENVIRONMENT

    source: str | None = Field(
        None,
        description="the raw table's folder; where the manifest says, where not given",
        min_length=1,
    )
    target: str = _TARGET
    sample: int = Field(
        SAMPLE, description="recompute the metrics of so many users; 0 for none", ge=0, le=100_000
    )


class ReportSettings(ContractSettings):
    """Write one HTML page, or JSON, of what the tables hold and how good it is.

    The page needs no server and nothing from elsewhere. All days and times are in UTC.
    """

    model_config = _ENVIRONMENT

    raw: str = Field("./events-data/raw", description="the raw table's folder", min_length=1)
    enriched: str = Field(
        "./events-data/enriched",
        description="the enriched table's folder; where not given, it may be missing",
        min_length=1,
    )
    failed: str | None = Field(
        None,
        description="the failed events' folder; where not given, <raw>.failed if there is one",
        min_length=1,
    )
    format: Literal["html", "json"] = Field("html", description="a page for people, or JSON")
    output: str | None = Field(
        None,
        description="the file to write, - for standard output; where not given, report.html, "
        "and standard output for JSON",
        min_length=1,
    )
    days: int | None = Field(
        None, description="count the events of the last days only, today included", ge=1, le=100_000
    )
    top: int = Field(10, description="how many entries the lists have", ge=1, le=100)

    @property
    def destination(self) -> str:
        """The file to write, or - for standard output."""
        return self.output or ("report.html" if self.format == "html" else "-")

    def since(self, now: datetime) -> date | None:
        """Return the first day that counts; None where all do."""
        return now.date() - timedelta(days=self.days - 1) if self.days else None


class DdlSettings(ContractSettings):
    """Print SQL that lets an engine read the raw and the enriched table.

    Nothing is read or changed: pipe it into the engine's own shell.
    """

    model_config = _ENVIRONMENT

    engine: Engine = Field(
        description="what reads the tables: trino, presto, athena, duckdb or spark"
    )
    source: str = _SOURCE
    target: str = _TARGET
    layout: Layout = Field(
        Layout.EVENTS, description="what the target holds, as run published it: events or users"
    )
    location: str | None = Field(
        None,
        description="where the engine sees the folder that holds both tables, such as "
        "s3://bucket/events; where they are, where not given",
        min_length=1,
    )
