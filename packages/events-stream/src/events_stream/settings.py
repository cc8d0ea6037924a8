"""The settings of `events-stream run`."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events_schema.spark_settings import SparkSettings


class RunSettings(SparkSettings):
    """Store the topic's events as parquet by day, each event once.

    Stops on SIGTERM or Ctrl-C once the batch in hand is stored. Started again, it reads on from
    what the table holds, whatever happened before.
    """

    model_config = SettingsConfigDict(env_prefix="EVENTS_STREAM_")

    brokers: str = Field(
        "localhost:9092", description="Kafka's address, host:port,...", min_length=1
    )
    topic: str = Field(
        "events", description="the topic to read", pattern=r"^[a-zA-Z0-9._-]{1,249}$"
    )
    target: str = Field("./events-data/raw", description="the table's folder", min_length=1)
    checkpoint: str = Field(
        "./events-data/checkpoint", description="the folder for Spark's notes", min_length=1
    )
    trigger: str = Field(
        "1 minute",
        description="how often a batch starts",
        pattern=r"^[1-9][0-9]* (second|minute|hour)s?$",
    )
    available_now: bool = Field(False, description="store what is there now, then stop")
    deduplication_window: int = Field(
        3600,
        description="copies of an event received at most so many seconds apart are stored once",
        ge=0,
        le=366 * 86400,
    )
    broker_timeout: int = Field(
        120, description="for how many seconds a running stream waits for Kafka", ge=0
    )
    max_records_per_batch: int = Field(
        1_000_000, description="a backlog is stored in batches of so many records", ge=1
    )
