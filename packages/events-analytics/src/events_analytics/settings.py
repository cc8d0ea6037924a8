"""The settings of the verbs of `events-analytics`."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events_schema.command import CommandSettings
from events_schema.event import Time
from events_schema.spark_settings import SparkSettings

_ENVIRONMENT = SettingsConfigDict(env_prefix="EVENTS_ANALYTICS_")
_TARGET = Field("./events-data/enriched", description="the enriched table's folder", min_length=1)


class RunSettings(SparkSettings):
    """Add each user's metrics to the raw events and publish the result in one step.

    SIGINT or SIGTERM ends a run, and the old result stays; once the new one is being
    published, the run finishes.
    """

    model_config = _ENVIRONMENT

    source: str = Field(
        "./events-data/raw",
        description="the raw table's folder, or any of such files",
        min_length=1,
    )
    target: str = _TARGET
    processing_time: Time | None = Field(
        None, description="the metrics' time, ISO-8601 with a zone; now where not given"
    )
    allow_empty: bool = Field(False, description="publish an empty result for an empty source")
    keep_versions: int = Field(1, description="how many old versions to keep", ge=0)


class CheckSettings(SparkSettings):
    """Show the published table: 50 rows, how many there are, and the schema."""

    model_config = _ENVIRONMENT

    target: str = _TARGET


class ReportSettings(CommandSettings):
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
