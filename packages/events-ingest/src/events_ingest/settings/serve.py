"""The settings of `events-ingest serve`, all together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from events_ingest.access.keys import PublicKey, read_public_key
from events_ingest.limits import BodyLimits
from events_ingest.settings.limits import ConnectionSettings, EventSettings
from events_ingest.settings.observation import DemoSettings, LogSettings
from events_ingest.settings.topic import TopicSettings
from events_schema.runtime.brokers import BROKERS, Brokers, KafkaSettings
from events_schema.runtime.command import Flag
from events_schema.runtime.contract import ContractSettings
from events_schema.runtime.errors import UsageError
from events_schema.runtime.flags import Host, Port, read_lines, split_commas

Tokens = Annotated[tuple[SecretStr, ...], BeforeValidator(split_commas), Flag("KEY")]


def _check_public_keys(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        read_public_key(text)
    return value


PublicKeys = Annotated[
    tuple[str, ...],
    BeforeValidator(split_commas),
    AfterValidator(_check_public_keys),
    Flag("'KEY ORIGIN ...'"),
]


class ServeSettings(
    TopicSettings,
    KafkaSettings,
    ConnectionSettings,
    EventSettings,
    ContractSettings,
    LogSettings,
    DemoSettings,
):
    """Accept events over HTTP and answer 200 once Kafka has stored them.

    It starts without Kafka too, and answers 503 until Kafka is there. On SIGTERM or Ctrl-C it
    answers the requests in flight, then stops.
    """

    flag_group: ClassVar[str | None] = None

    brokers: Brokers = BROKERS
    host: Host = Field(default="127.0.0.1", description="the address to listen on")
    port: Port = Field(default=8000, description="the port to listen on; 0 takes a free one")
    token: Tokens = Field(
        default=(),
        description="a secret key for services; repeatable, and visible in the process list, so "
        "prefer --token-file",
        repr=False,
    )
    token_file: Path | None = Field(default=None, description="a file of such keys, one per line")
    public_key: PublicKeys = Field(
        default=(),
        description="a key for web pages, followed by the origins of these pages: 'pk_web "
        "https://shop.example'; repeatable",
    )
    public_key_file: Path | None = Field(
        default=None, description="a file of such keys with their origins, one per line"
    )
    allow_anonymous: bool = Field(
        default=False, description="accept events without a key, from any page"
    )

    @property
    def track_limits(self) -> BodyLimits:
        """The limits on the body of one event."""
        return BodyLimits(self.max_event_bytes, self.max_event_bytes, self.body_timeout)

    @property
    def batch_limits(self) -> BodyLimits:
        """The limits on the body of a batch."""
        return BodyLimits(self.max_batch_bytes, self.max_decompressed_bytes, self.body_timeout)

    def service_keys(self) -> tuple[bytes, ...]:
        """Return the keys of services. Raises `UsageError` for a file that cannot be used."""
        keys = tuple(
            key.get_secret_value().encode("utf-8", "surrogateescape") for key in self.token
        )
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
