"""The settings of `events-analytics`, verb by verb."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events_analytics.engines import Engine
from events_analytics.layouts import Layout
from events_schema.command import CommandSettings
from events_schema.event import Time
from events_schema.spark_settings import SparkSettings

_ENVIRONMENT = SettingsConfigDict(env_prefix="EVENTS_ANALYTICS_")
_SOURCE = Field(
    "./events-data/raw",
    description="the raw table's folder, or any of such files",
    min_length=1,
)
_TARGET = Field("./events-data/enriched", description="the enriched table's folder", min_length=1)


class RunSettings(SparkSettings):
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


class CheckSettings(SparkSettings):
    """Show the published table: 50 rows, how many there are, and the schema."""

    model_config = _ENVIRONMENT

    target: str = _TARGET


class DdlSettings(CommandSettings):
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
