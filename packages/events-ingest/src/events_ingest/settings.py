"""The settings of `events-ingest serve`."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode, SettingsConfigDict

from events_ingest.access.keys import PublicKey, read_public_key
from events_ingest.limits import BodyLimits, EventTimeWindow
from events_schema.runtime.brokers import KafkaSettings, TopicName
from events_schema.runtime.contract import ContractSettings
from events_schema.runtime.errors import UsageError
from events_schema.runtime.flags import read_lines, split_commas

_FIFTY_YEARS = 50 * 365 * 86400
_SAFE_REPLICATION = 3
_KIB, _MIB = 1024, 1024 * 1024

Tokens = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_commas)]


def _check_public_keys(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        read_public_key(text)
    return value


_URL = re.compile(r"https?://([\w.\-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?(/[\w./\-]*)?", re.ASCII)


def _check_stats_url(value: str | None) -> str | None:
    if value is not None and not _URL.fullmatch(value):
        raise PydanticCustomError(
            "stats_url",
            "{url} is no address of numbers, such as http://127.0.0.1:8001/stats",
            {"url": repr(value)},
        )
    return value


StatsUrl = Annotated[str | None, AfterValidator(_check_stats_url)]

PublicKeys = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(split_commas),
    AfterValidator(_check_public_keys),
]


class ServeSettings(KafkaSettings, ContractSettings):
    """Take events over HTTP and answer 200 when Kafka has them.

    Stops on SIGTERM or Ctrl-C once the requests in flight are answered. Starts without Kafka
    too, and answers 503 until it is there. Limits are those of all workers together where they
    say "in all"; the rest is per request or per connection.
    """

    model_config = SettingsConfigDict(env_prefix="EVENTS_INGEST_")

    topic: TopicName = Field(
        "events", description="the topic to write, created where it is missing"
    )
    host: str = Field("127.0.0.1", description="the address to listen on", min_length=1)
    port: int = Field(8000, description="the port to listen on; 0 takes a free one", ge=0, lt=2**16)
    workers: int = Field(1, description="how many processes serve", ge=1, le=256)

    token: Tokens = Field((), description="a key that services may use; repeatable", repr=False)
    token_file: Path | None = Field(None, description="a file of such keys, one in each line")
    public_key: PublicKeys = Field(
        (),
        description="a key that web pages may use, then the origins of these pages, with spaces "
        "between: 'KEY https://shop.example'; repeatable",
    )
    public_key_file: Path | None = Field(None, description="a file of such keys, one in each line")
    allow_anonymous: bool = Field(False, description="take events without a key, from any page")

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

    body_timeout: float = Field(
        10, description="for how many seconds a request waits for its body", ge=0.1, le=3600
    )
    header_timeout: float = Field(
        10, description="for how many seconds a connection waits for headers", ge=0.1, le=3600
    )
    keep_alive: float = Field(
        75, description="for how many seconds a connection may be idle", ge=0.1, le=3600
    )
    linger: float = Field(
        0.002,
        description="for how many seconds events wait for others to share their record batch, "
        "where another one is on its way",
        ge=0,
        le=1,
    )
    record_batch_bytes: int = Field(
        512 * _KIB,
        description="the largest record batch; less where the topic takes less",
        ge=16 * _KIB,
        le=64 * _MIB,
    )

    max_event_bytes: int = Field(32 * _KIB, description="the longest event", ge=1, le=_MIB)
    max_batch_bytes: int = Field(
        _MIB, description="the longest body of a batch, as sent", ge=1, le=64 * _MIB
    )
    max_decompressed_bytes: int = Field(
        4 * _MIB, description="the longest body of a batch, decompressed", ge=1, le=256 * _MIB
    )
    max_batch_events: int = Field(2000, description="the most events of a batch", ge=1, le=100_000)
    max_header_bytes: int = Field(
        32 * _KIB, description="the longest head of a request", ge=_KIB, le=_MIB
    )
    max_connections: int = Field(10_000, description="the most connections, in all", ge=1)
    max_in_flight_bytes: int = Field(
        64 * _MIB,
        description="how much may wait for Kafka, and arrive in bodies, per worker",
        ge=1024,
    )
    max_rate: float | None = Field(
        None, description="requests per second of each key, in all (default: any)", gt=0
    )
    max_public_rate: float = Field(
        1000, description="requests per second of each public key, in all", gt=0
    )

    event_time_back: int = Field(
        7 * 86400, description="how many seconds old an event may be", ge=0, le=_FIFTY_YEARS
    )
    event_time_ahead: int = Field(
        300, description="how many seconds an event may lie ahead", ge=0, le=_FIFTY_YEARS
    )

    metrics_port: int | None = Field(
        None,
        description="serve /metrics on a port of its own (default: on the same)",
        ge=0,
        lt=2**16,
    )
    access_log: float = Field(
        0.01, description="the share of requests that is logged, 0 to 1", ge=0, le=1
    )
    log_clients: bool = Field(
        False, description="let the access log have the client's address and user agent"
    )

    demo: bool = Field(
        False, description="serve /demo, a page that shows what becomes of its events"
    )
    demo_stats: StatsUrl = Field(
        None, description="where that page finds what is stored, as `simulate --keep` serves it"
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
    def window(self) -> EventTimeWindow:
        """How far from now an `event_time` may lie."""
        return EventTimeWindow(
            timedelta(seconds=self.event_time_back), timedelta(seconds=self.event_time_ahead)
        )

    @property
    def track_limits(self) -> BodyLimits:
        """What the body of one event may be."""
        return BodyLimits(self.max_event_bytes, self.max_event_bytes, self.body_timeout)

    @property
    def batch_limits(self) -> BodyLimits:
        """What the body of a batch may be."""
        return BodyLimits(self.max_batch_bytes, self.max_decompressed_bytes, self.body_timeout)

    def service_keys(self) -> tuple[bytes, ...]:
        """Return the keys of services. Raises `UsageError` for a file that cannot be used."""
        keys = tuple(key.get_secret_value().encode() for key in self.token)
        if self.token_file is not None:
            keys += tuple(read_lines("--token-file", self.token_file))
        return keys

    def page_keys(self) -> tuple[PublicKey, ...]:
        """Return the keys of web pages. Raises `UsageError` for a file that cannot be used."""
        keys = [read_public_key(text) for text in self.public_key]
        if self.public_key_file is not None:
            try:
                lines = read_lines("--public-key-file", self.public_key_file)
                keys += [read_public_key(line.decode("utf-8", "replace")) for line in lines]
            except ValueError as error:
                raise UsageError(f"--public-key-file: {error}") from None
        return tuple(keys)

    def per_worker(self, limit: float) -> float:
        """Return a worker's share of a limit that holds for all together."""
        return limit / self.workers
