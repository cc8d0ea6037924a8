"""The settings of the commands."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events_schema import Contract
from events_schema.runtime.brokers import KafkaSettings, TopicName
from events_schema.runtime.contract import ContractSettings
from events_schema.runtime.flags import Day
from events_schema.runtime.session.settings import SparkSettings

RECORDS_PER_CORE = 500_000
MEBIBYTES_PER_CORE = 512


CHECKPOINT = Field(
    "./events-data/checkpoint", description="the folder for Spark's notes", min_length=1
)
TARGET = Field("./events-data/raw", description="the table's folder", min_length=1)
WINDOW = Field(
    3600,
    description="copies of an event received at most so many seconds apart are stored once; "
    "0 looks for none",
    ge=0,
    le=366 * 86400,
)


class RunSettings(ContractSettings, SparkSettings, KafkaSettings):
    """Store the topic's events as parquet by day, each event once.

    Stops on SIGTERM or Ctrl-C once the micro-batch in hand is stored. Started again, it reads on
    from what the table holds, whatever happened before.
    """

    model_config = SettingsConfigDict(env_prefix="EVENTS_STREAM_")

    topic: TopicName = Field("events", description="the topic to read")
    target: str = TARGET
    checkpoint: str = CHECKPOINT
    trigger: str = Field(
        "1 minute",
        description="how often a micro-batch starts",
        pattern=r"^[1-9][0-9]{0,5} (second|minute|hour)s?$",
    )
    available_now: bool = Field(False, description="store what is there now, then stop")
    deduplication_window: int = WINDOW
    broker_timeout: int = Field(
        120, description="for how many seconds a running stream waits for Kafka", ge=0
    )
    max_records_per_batch: int | None = Field(
        None,
        description="a backlog is stored in micro-batches of this many records "
        "(default: 500,000 for each core that has 512 MiB of --driver-memory)",
        ge=1,
    )
    accept_loss: bool = Field(
        False, description="go on past records that Kafka no longer has; the loss is logged"
    )
    stall_timeout: int = Field(
        600, description="end with 6 where nothing goes on for so many seconds", ge=1
    )
    metrics_port: int | None = Field(
        None, description="serve Prometheus metrics on this port", ge=1, le=65535
    )
    metrics_host: str = Field("127.0.0.1", description="where to serve them", min_length=1)

    def records_per_batch(self, cores: int) -> int:
        """Return how many records a micro-batch may have, on that many cores.

        Each core writes a file at a time, which takes memory, and half a million records take it
        a few seconds.
        """
        if self.max_records_per_batch is not None:
            return self.max_records_per_batch
        number, unit = re.fullmatch(r"(\d+)([kmgt])b?", self.driver_memory.lower()).groups()  # type: ignore[union-attr]  # the field's pattern
        mebibytes = int(number) * 1024 ** "kmgt".index(unit) / 1024
        return max(int(RECORDS_PER_CORE * min(cores, mebibytes / MEBIBYTES_PER_CORE)), 1)


class BesideSettings(ContractSettings):
    """What the commands that need no contract have in common: one that is given is checked."""

    def load_given_contract(self) -> Contract[Any] | None:
        """Return the contract that a flag or the environment names; None where neither does."""
        return None if self.given_contract is None else self.load_contract()


class StatusSettings(BesideSettings):
    """Say where the table stands, in plain words.

    From its folders alone, whether or not a stream runs.
    """

    model_config = SettingsConfigDict(env_prefix="EVENTS_STREAM_")

    target: str = TARGET
    checkpoint: str = CHECKPOINT


class FailedSettings(BesideSettings):
    """Show the failed events: the newest, or how many of which kind.

    From the table's folders alone, whether or not a stream runs.
    """

    model_config = SettingsConfigDict(env_prefix="EVENTS_STREAM_")

    target: str = TARGET
    summary: bool = Field(False, description="count by reason, day and partition instead")
    limit: int = Field(20, description="show so many", ge=1, le=10_000)


class ReplaySettings(ContractSettings, SparkSettings):
    """Store the failed events that decode by now, each once.

    Say --dry-run to see how many would be stored, or --apply. A stream that runs waits meanwhile,
    for its --stall-timeout at the most. Give the stream's --deduplication-window.
    """

    model_config = SettingsConfigDict(env_prefix="EVENTS_STREAM_")

    target: str = TARGET
    deduplication_window: int = WINDOW
    dry_run: bool = Field(False, description="change nothing, say what would be")
    apply: bool = Field(False, description="store them")


class ExpireSettings(BesideSettings):
    """Delete old days of the table, and let its log know.

    Says what it would delete, unless --apply is given. A stream that runs waits meanwhile. An
    event that comes later for such a day makes the day anew.
    """

    model_config = SettingsConfigDict(env_prefix="EVENTS_STREAM_")

    target: str = TARGET
    before: Day | None = Field(
        None, description="delete the days (UTC, of event_time) before YYYY-MM-DD"
    )
    missing: bool = Field(
        False, description="instead, let the log forget files that somebody deleted"
    )
    apply: bool = Field(False, description="delete, instead of saying what would be")
