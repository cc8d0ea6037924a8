"""The Kafka of a simulation: one that it starts, or one that is given."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NoError, UnknownTopicOrPartitionError, for_code
from pydantic import SecretStr

from events_ingest.kafka.access import require_access
from events_ingest.kafka.clients import client_options
from events_loadgen.settings import SimulateSettings
from events_schema.runtime.brokers import KafkaSettings

_DELETE_SECONDS = 20.0


class Kafka(Protocol):
    """A Kafka for the time of a simulation."""

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        ...

    def launch(self) -> None:
        """Start it, if it must be started."""
        ...

    def wait_until_ready(self) -> None:
        """Wait until it answers."""
        ...

    def check(self) -> None:
        """Raise if it has ended."""
        ...

    def stop(self) -> None:
        """Stop it, or leave it as it was found."""
        ...


@dataclass
class GivenKafka:
    """A Kafka that runs already. The simulation has a new topic there, and deletes it."""

    bootstrap: str
    keep: bool
    """Whether the topic stays."""
    options: Mapping[str, Any] = field(repr=False)
    """The options of aiokafka's clients."""
    topic: str = field(default_factory=lambda: f"events-simulation-{secrets.token_hex(4)}")

    @classmethod
    def of(cls, settings: SimulateSettings) -> GivenKafka:
        """Return the Kafka of `--brokers`.

        Raises `UsageError` for flags that cannot be used, `KafkaRefused`, and `BrokerUnavailable`.
        """
        found = cls(str(settings.brokers), settings.keep, client_options(settings))
        asyncio.run(require_access(found.options, found.topic))
        return found

    def launch(self) -> None:
        """Say which topic the simulation uses."""
        stays = "stays" if self.keep else "is deleted at the end"
        print(f"topic {self.topic} at {self.bootstrap}, which {stays}", flush=True)

    def wait_until_ready(self) -> None:
        """Return: the collector waits for it."""

    def check(self) -> None:
        """Return: if it ends, the collector and the stream say so."""

    def stop(self) -> None:
        """Delete the topic, unless it stays."""
        if self.keep:
            return
        try:
            asyncio.run(self._delete())
        except (KafkaError, OSError) as error:
            reason = str(error) or type(error).__name__
            print(f"topic {self.topic} is not deleted: {reason}; delete it yourself", flush=True)

    async def _delete(self) -> None:
        admin = AIOKafkaAdminClient(**self.options)
        try:
            async with asyncio.timeout(_DELETE_SECONDS):
                await admin.start()
                response = await admin.delete_topics([self.topic])
        finally:
            await admin.close()
        ((_, code, *_),) = response.topic_error_codes
        error = for_code(code)
        if error not in (NoError, UnknownTopicOrPartitionError):
            raise error()


def kafka_environment(settings: KafkaSettings) -> Mapping[str, str]:
    """Return what connects a child to Kafka, by setting; not as flags, because `ps` shows them."""
    names = KafkaSettings.model_fields.keys() - {"brokers", "verbose"}
    given = {name: getattr(settings, name) for name in names & settings.model_fields_set}
    return {name: _text(value) for name, value in given.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "\n".join(map(_text, value))
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value.resolve() if isinstance(value, Path) else value)
