"""The settings of the verbs of `events-analytics`."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from events_analytics.versions.layout import Layout, SortBy
from events_schema.enrichment import WINDOW
from events_schema.models.types import Time
from events_schema.runtime.command import CommandSettings, Flag
from events_schema.runtime.contract import ContractSettings
from events_schema.runtime.flags import Day, Duration, Folder, by_name
from events_schema.runtime.session.settings import SparkSettings


class Engine(StrEnum):
    """An engine that `ddl` writes SQL for."""

    TRINO = "trino"
    PRESTO = "presto"
    ATHENA = "athena"
    DUCKDB = "duckdb"
    SPARK = "spark"


SAMPLE = 100
"""How many users' metrics `check` recomputes by default."""

_SOURCE = Field(
    default="./events-data/raw",
    description="the raw table's folder, or another folder of parquet files with its columns",
)
_TARGET = Field(default="./events-data/enriched", description="the enriched table's folder")
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
        "{text} is neither a day nor a duration; give YYYY-MM-DD, or a duration such as '30 days'",
        {"text": repr(value)},
    )


def _check_suffix(file: Path) -> Path:
    if file.suffix != ".prom":
        raise PydanticCustomError(
            "metrics_file",
            "{file} does not end in .prom, and node_exporter reads only such files; give NAME.prom",
            {"file": repr(str(file))},
        )
    return file


MetricsFile = Annotated[Path, AfterValidator(_check_suffix), Flag("NAME.prom")]
Since = Annotated[
    date | timedelta | None,
    BeforeValidator(_read_day_or_duration),
    Flag("YYYY-MM-DD|DURATION", default="all days"),
]


class ResultSettings(CommandSettings):
    """How the result is written."""

    flag_group: ClassVar[str | None] = "result"

    sort_by: Annotated[SortBy, by_name(SortBy)] = Field(
        default=SortBy.DAY, description="keep the order of days, or sort by user (slower to write)"
    )
    files: Annotated[int | None, Flag(default="files of about 128 MiB")] = Field(
        default=None, description="how many files to write", ge=1, le=100_000
    )
    keep_versions: int = Field(default=1, description="how many old versions to keep", ge=0)
    allow_empty: bool = Field(
        default=False, description="publish an empty result if the source is empty"
    )
    metrics_file: MetricsFile | None = Field(
        default=None, description="write the run's metrics to this file, for node_exporter"
    )


class RunSettings(ResultSettings, SparkSettings, ContractSettings):
    """Add each user's metrics to the raw events and publish the result in one step.

    SIGINT or SIGTERM stops a run and leaves the old result in place, unless the new one is
    already being published: then the run finishes.
    """

    flag_group: ClassVar[str | None] = None

    source: Folder = _SOURCE
    target: Folder = _TARGET
    processing_time: Annotated[Time | None, Flag("TIME", default="now")] = Field(
        default=None, description="the time that u_count counts back from, ISO 8601 with a zone"
    )
    window: Duration = Field(
        default=WINDOW, description="how far back from the processing time u_count counts"
    )
    since: Since = Field(
        default=None,
        description="publish the events of this day and later only; a duration counts back from "
        "the processing time; the metrics still count all events",
    )
    layout: Annotated[Layout, by_name(Layout)] = Field(
        default=Layout.EVENTS,
        description="publish every event with its user's metrics, or one row per user",
    )


class CheckSettings(SparkSettings, ContractSettings):
    """Verify the published table and show it: 50 rows, the number of rows, and the schema.

    It compares the table's files, schema and rows with its manifest and with the raw files it was
    made from, and recomputes the metrics of some users. It changes nothing. It exits with 5 if they
    differ, and with 6 if the raw table no longer has exactly the rows that it was made from.
    """

    flag_group: ClassVar[str | None] = None

    source: Annotated[Folder | None, Flag(default="the folder that the manifest names")] = Field(
        default=None, description="the raw table's folder"
    )
    target: Folder = _TARGET
    sample: int = Field(
        default=SAMPLE,
        description="recompute the metrics of this many users; 0 turns it off",
        ge=0,
        le=100_000,
    )


class ReportSettings(ContractSettings):
    """Write an HTML page, or JSON, about the tables: what they hold, and how complete it is.

    The page is one file that needs no server and loads nothing. All days and times are in UTC.
    """

    flag_group: ClassVar[str | None] = None

    raw: Folder = Field(default="./events-data/raw", description="the raw table's folder")
    enriched: Folder = Field(
        default="./events-data/enriched",
        description="the enriched table's folder; it may be missing if the flag is not given",
    )
    failed: Annotated[Folder | None, Flag(default="RAW.failed, if it exists")] = Field(
        default=None, description="the failed events' folder"
    )
    format: Literal["html", "json"] = Field(
        default="html", description="a page for people, or JSON"
    )
    output: Annotated[
        str | None, Flag("FILE", default="report.html; for JSON, standard output")
    ] = Field(default=None, description="the file to write, - for standard output", min_length=1)
    days: Annotated[int | None, Flag(default="all days")] = Field(
        default=None,
        description="count the events of the last N days, today included",
        ge=1,
        le=100_000,
    )
    top: int = Field(default=10, description="how many entries each list shows", ge=1, le=100)

    @property
    def destination(self) -> str:
        """The file to write, or - for standard output."""
        return self.output or ("report.html" if self.format == "html" else "-")

    def since(self, now: datetime) -> date | None:
        """Return the first day that counts; None if all do."""
        return now.date() - timedelta(days=self.days - 1) if self.days else None


class DdlSettings(ContractSettings):
    """Print SQL that lets an engine read the raw and the enriched table.

    It reads and changes nothing: pipe its output into the engine's shell. The statements name the
    tables' folders. For the columns alone, in standard SQL, use `events-schema ddl`.
    """

    flag_group: ClassVar[str | None] = None

    engine: Annotated[Engine, by_name(Engine)] = Field(
        description="the engine that reads the tables"
    )
    source: Folder = _SOURCE
    target: Folder = _TARGET
    layout: Annotated[Layout, by_name(Layout)] = Field(
        default=Layout.EVENTS, description="the layout of the target, as run published it"
    )
    location: Annotated[str | None, Flag("URL", default="where they are now")] = Field(
        default=None,
        description="where the engine sees the folder that holds both tables, such as "
        "s3://bucket/events",
        min_length=1,
    )
