"""The settings of `events-ingest serve`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from aiokafka.conn import collect_hosts
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode, SettingsConfigDict

from events_schema.command import CommandSettings, split_commas

_FIFTY_YEARS = 50 * 365 * 86400
_SAFE_REPLICATION = 3


def _check_brokers(value: str) -> str:
    try:
        usable = all(0 < port < 2**16 and host for host, port, _ in collect_hosts(value))
    except ValueError:
        usable = False
    if not usable:
        raise PydanticCustomError("brokers", "expected host:port, several with commas between them")
    return value


Brokers = Annotated[str, AfterValidator(_check_brokers)]
Tokens = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_commas)]


class ServeSettings(CommandSettings):
    """Take events over HTTP and answer 200 when Kafka has them.

    Stops on SIGTERM or Ctrl-C once the requests in flight are answered. Starts without Kafka
    too, and answers 503 until it is there.
    """

    model_config = SettingsConfigDict(env_prefix="EVENTS_INGEST_")

    brokers: Brokers = Field("localhost:9092", description="Kafka's address, host:port,...")
    topic: str = Field(
        "events",
        description="the topic to write, created where it is missing",
        pattern=r"^[a-zA-Z0-9._-]{1,249}$",
    )
    host: str = Field("127.0.0.1", description="the address to listen on", min_length=1)
    port: int = Field(8000, description="the port to listen on; 0 takes a free one", ge=0, lt=2**16)

    token: Tokens = Field((), description="a key that clients may use; repeatable", repr=False)
    token_file: Path | None = Field(None, description="a file of such keys, one in each line")
    allow_anonymous: bool = Field(False, description="take events without a key")

    partitions: int = Field(4, description="the partitions of a topic it creates", ge=1)
    replication: int = Field(
        1, description="the replicas of each partition of a topic it creates", ge=1, lt=2**15
    )
    min_insync_replicas: int | None = Field(
        None,
        description="how many replicas must have an event before it counts as stored, for a "
        "topic it creates (default: 2 where replication is 3 or more, else 1)",
        ge=1,
    )

    ack_timeout: float = Field(
        10, description="for how many seconds a request waits for Kafka", ge=0.1, le=3600
    )
    body_timeout: float = Field(
        10, description="for how many seconds a request waits for its body", ge=0.1, le=3600
    )
    max_body_bytes: int = Field(32 * 1024, description="the longest body", ge=1)
    max_in_flight_bytes: int = Field(
        64 * 1024 * 1024, description="how much may wait for Kafka", ge=1024
    )
    event_time_back: int = Field(
        7 * 86400, description="how many seconds old an event may be", ge=0, le=_FIFTY_YEARS
    )
    event_time_ahead: int = Field(
        300, description="how many seconds an event may lie ahead", ge=0, le=_FIFTY_YEARS
    )

    @model_validator(mode="after")
    def _check_replicas(self) -> ServeSettings:
        if self.required_replicas > self.replication:
            raise PydanticCustomError(
                "replicas",
                "--min-insync-replicas is more than --replication; no event could be stored",
            )
        return self

    @property
    def required_replicas(self) -> int:
        """The topic's `min.insync.replicas`."""
        if self.min_insync_replicas is not None:
            return self.min_insync_replicas
        return 2 if self.replication >= _SAFE_REPLICATION else 1

    @property
    def event_time_window(self) -> tuple[timedelta, timedelta]:
        """How far back and how far ahead an `event_time` may lie."""
        return timedelta(seconds=self.event_time_back), timedelta(seconds=self.event_time_ahead)
