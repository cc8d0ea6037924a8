"""The settings of the verbs of `events-stream`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from events_schema import Contract
from events_schema.runtime.brokers import BROKERS, Brokers, KafkaSettings, TopicName
from events_schema.runtime.command import CommandSettings, Flag
from events_schema.runtime.contract import ContractSettings
from events_schema.runtime.flags import (
    Day,
    Duration,
    Folder,
    Host,
    Port,
    WholeSeconds,
    matching,
    split_commas,
)
from events_schema.runtime.session.settings import SparkSettings

RECORDS_PER_CORE = 500_000
MEBIBYTES_PER_CORE = 512


CHECKPOINT = Field(
    default="./events-data/checkpoint", description="the folder for Spark's checkpoint"
)
TARGET = Field(default="./events-data/raw", description="the table's folder")
WINDOW = Field(
    default=3600,
    description="copies of an event received at most this far apart are stored once; "
    "0 turns de-duplication off",
    ge=0,
    le=366 * 86400,
)
Trigger = Annotated[
    str,
    matching(
        "[1-9][0-9]{0,5} (second|minute|hour)s?", "a duration, such as '30 seconds' or '1 minute'"
    ),
    Flag("DURATION"),
]


class PaceSettings(CommandSettings):
    """How much a micro-batch holds, and how long the stream waits."""

    flag_group: ClassVar[str | None] = "pace"

    max_records_per_batch: Annotated[
        int | None, Flag(default="500,000 for each core that has 512 MiB of --driver-memory")
    ] = Field(default=None, description="the most records in a micro-batch", ge=1)
    broker_timeout: WholeSeconds = Field(
        default=120, description="how long a running stream waits for Kafka", ge=0
    )
    stall_timeout: WholeSeconds = Field(
        default=600, description="exit with 6 after this long without progress", ge=1
    )


class MetricsSettings(CommandSettings):
    """Where the stream serves its metrics."""

    flag_group: ClassVar[str | None] = "metrics"

    metrics_port: Annotated[Port | None, Flag(default="no metrics")] = Field(
        default=None, description="serve Prometheus metrics on this port", ge=1
    )
    metrics_host: Host = Field(default="127.0.0.1", description="the address to serve them on")


class RunSettings(PaceSettings, MetricsSettings, ContractSettings, SparkSettings, KafkaSettings):
    """Store the topic's events as parquet by day, each event once.

    On SIGTERM or Ctrl-C it stores the micro-batch in hand, then stops. When it starts again, it
    continues after the last record that the table holds.
    """

    flag_group: ClassVar[str | None] = None

    brokers: Brokers = BROKERS
    topic: TopicName = Field(default="events", description="the topic to read")
    target: Folder = TARGET
    checkpoint: Folder = CHECKPOINT
    trigger: Trigger = Field(default="1 minute", description="how often a micro-batch starts")
    available_now: bool = Field(
        default=False, description="store the records that are there now, then stop"
    )
    deduplication_window: WholeSeconds = WINDOW
    accept_loss: bool = Field(
        default=False,
        description="continue past records that Kafka no longer has; the loss is logged",
    )

    @property
    def trigger_seconds(self) -> int:
        """How often a micro-batch starts, in seconds."""
        number, unit = self.trigger.split(" ")
        return int(number) * {"second": 1, "minute": 60, "hour": 3600}[unit.removesuffix("s")]

    def records_per_batch(self, cores: int) -> int:
        """Return how many records a micro-batch may have on `cores` cores.

        Each core writes one file at a time, which takes memory. Half a million records take it a
        few seconds.
        """
        if self.max_records_per_batch is not None:
            return self.max_records_per_batch
        number, unit = re.fullmatch(r"(\d+)([kmgt])b?", self.driver_memory.lower()).groups()  # type: ignore[union-attr]  # the field's pattern
        mebibytes = int(number) * 1024 ** "kmgt".index(unit) / 1024
        return max(int(RECORDS_PER_CORE * min(cores, mebibytes / MEBIBYTES_PER_CORE)), 1)


class BesideSettings(ContractSettings):
    """The settings of verbs that work without a contract, and check one that is given."""

    flag_group: ClassVar[str | None] = None

    target: Folder = TARGET

    def load_given_contract(self) -> Contract[Any] | None:
        """Return the contract that a flag or the environment names; None if neither does."""
        return None if self.contract is None else self.load_contract()


class StatusSettings(BesideSettings):
    """Show where the table stands, in plain words.

    It reads the table's folders only, whether or not a stream is running.
    """

    flag_group: ClassVar[str | None] = None

    checkpoint: Folder = CHECKPOINT


class FailedSettings(BesideSettings):
    """Show the newest failed events, or count them by kind.

    It reads the table's folders only, whether or not a stream is running.
    """

    flag_group: ClassVar[str | None] = None

    summary: bool = Field(default=False, description="count by reason, day and partition instead")
    limit: int = Field(default=20, description="how many to show", ge=1, le=10_000)


class ReplaySettings(ContractSettings, SparkSettings):
    """Store the failed events that can be decoded now, each once.

    Give --dry-run to see how many would be stored, or --apply to store them. A running stream
    waits meanwhile, at most for its --stall-timeout. Use the stream's --deduplication-window.
    """

    flag_group: ClassVar[str | None] = None

    target: Folder = TARGET
    deduplication_window: WholeSeconds = WINDOW
    dry_run: bool = Field(default=False, description="change nothing, and say what would be stored")
    apply: bool = Field(default=False, description="store them")


class ExpireSettings(BesideSettings):
    """Delete old days of the table and record it in the table's log.

    It only says what it would delete, unless --apply is given. A running stream waits meanwhile.
    A late event for a deleted day creates that day again.
    """

    flag_group: ClassVar[str | None] = None

    before: Day | None = Field(
        default=None, description="delete the days (UTC, of event_time) before this day"
    )
    missing: bool = Field(
        default=False,
        description="instead, remove files from the log that somebody has already deleted",
    )
    apply: bool = Field(
        default=False, description="delete, instead of saying what would be deleted"
    )


class CompactSettings(BesideSettings):
    """Rewrite the many small files of past days into few large ones, and record it in the log.

    It only says what it would rewrite, unless --apply is given. A stream may run meanwhile. No
    reader sees a row twice; one that reads a day while it is exchanged must read it again. Kill it
    at any moment, and run it again.
    """

    flag_group: ClassVar[str | None] = None

    older_than: Duration = Field(
        default=timedelta(days=1),
        description="rewrite the days (UTC, of event_time) that ended at least this long ago",
    )
    apply: bool = Field(
        default=False, description="rewrite, instead of saying what would be rewritten"
    )


def _read_user_ids(value: object) -> object:
    ids = split_commas(value)
    for text in ids if isinstance(ids, tuple | list) else ():
        if isinstance(text, str) and not (
            re.fullmatch(r"-?[0-9]{1,10}", text) and -(2**31) <= int(text) < 2**31
        ):
            raise PydanticCustomError(
                "user_id",
                "{text} is not a user_id; give a whole number from -2147483648 to 2147483647",
                {"text": repr(text)},
            )
    if not ids:
        raise PydanticCustomError("user_id", "give at least one user_id")
    return ids


class EraseSettings(ContractSettings, SparkSettings, KafkaSettings):
    """Erase users: their rows, their failed events, and what Kafka still has of them.

    It only says what it would erase, unless --apply is given. A stream may run meanwhile: it waits
    for a moment, and drops records of these users that were received before the erasure. Later
    events of them are stored. Kill it at any moment, and run it again.
    """

    flag_group: ClassVar[str | None] = None

    brokers: Brokers = BROKERS
    target: Folder = TARGET
    user_id: Annotated[tuple[int, ...], BeforeValidator(_read_user_ids), Flag("N")] = Field(
        description="a user to erase; repeatable", repr=False
    )
    topic_gone: bool = Field(
        default=False,
        description="do not ask Kafka: the table's topic no longer exists, and no record can come",
    )
    apply: bool = Field(default=False, description="erase, instead of saying what would be erased")
