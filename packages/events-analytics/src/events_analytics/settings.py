"""The settings of `events-analytics run` and `events-analytics check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from events_schema.event import Time
from events_schema.spark_settings import SparkSettings

_ENVIRONMENT = SettingsConfigDict(env_prefix="EVENTS_ANALYTICS_")
_TARGET = Field("./events-data/enriched", description="the enriched table's folder", min_length=1)


def _check_suffix(file: Path) -> Path:
    if file.suffix != ".prom":
        raise PydanticCustomError(
            "metrics_file",
            "{file} does not end in .prom, and node_exporter reads no other; give NAME.prom",
            {"file": str(file)},
        )
    return file


MetricsFile = Annotated[Path, AfterValidator(_check_suffix)]


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
    metrics_file: MetricsFile | None = Field(
        None, description="write the run's metrics there, NAME.prom, for node_exporter"
    )


class CheckSettings(SparkSettings):
    """Show the published table: 50 rows, how many there are, and the schema."""

    model_config = _ENVIRONMENT

    target: str = _TARGET
