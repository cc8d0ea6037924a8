"""The settings of `events-loadgen run` and `events-loadgen simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from yarl import URL

from events_schema.runtime.brokers import Brokers, KafkaSettings
from events_schema.runtime.command import Flag
from events_schema.runtime.contract import ContractSettings
from events_schema.runtime.flags import Seconds

_SEED = Field(default=None, description="the same seed gives the same events", ge=0)
_EVENTS = Field(default=10_000, description="how many events to post", ge=1)
_CONCURRENCY = Field(
    default=10, description="how many clients post at the same time", ge=1, le=10_000
)
Seed = Annotated[int | None, Flag(default="a new one")]


def _check_url(value: str) -> str:
    try:
        url = URL(value)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise PydanticCustomError(
            "collector_url",
            "{url} is not a collector's address; give one such as http://127.0.0.1:8000",
            {"url": repr(value)},
        )
    return value


def _check_token(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not all("!" <= character <= "~" for character in text):
        raise PydanticCustomError(
            "token", "expected a key of visible ASCII characters, without spaces"
        )
    return value


CollectorUrl = Annotated[str, AfterValidator(_check_url), Flag("URL")]
Token = Annotated[SecretStr, AfterValidator(_check_token), Flag("KEY")]


class RunSettings(ContractSettings):
    """Post generated events to a collector and report how it answered.

    Ctrl-C stops sending, finishes the requests in flight and shows the report so far.
    """

    flag_group: ClassVar[str | None] = None

    url: CollectorUrl = Field(
        default="http://127.0.0.1:8000", description="the collector's address"
    )
    token: Token | None = Field(
        default=None,
        description="the key that the collector expects; visible in the process list, so prefer "
        "--token-file",
        repr=False,
    )
    token_file: Path | None = Field(default=None, description="a file that holds the key")
    events: int = _EVENTS
    concurrency: int = _CONCURRENCY
    seed: Seed = _SEED
    think_time: Seconds = Field(
        default=0.0, description="how long each client pauses after an event", ge=0, le=86_400
    )
    give_up_after: Seconds = Field(
        default=60.0, description="how long to retry an event", ge=0, le=86_400
    )


class SimulateSettings(ContractSettings, KafkaSettings):
    """Run the whole line on this machine: Kafka, collector, stream, load, aggregation, check.

    With --brokers it uses that Kafka, with a new topic that it deletes at the end.
    """

    flag_group: ClassVar[str | None] = None

    events: int = _EVENTS
    concurrency: int = _CONCURRENCY
    seed: Seed = _SEED
    dir: Annotated[Path | None, Flag("FOLDER", default="a temporary folder")] = Field(
        default=None, description="a folder for all data and logs, new or empty"
    )
    keep: bool = Field(
        default=False, description="leave the line running, aggregating every minute, until Ctrl-C"
    )
    brokers: Annotated[Brokers | None, Flag(default="starts its own Kafka")] = Field(  # type: ignore[assignment]  # it may start its own
        default=None, description="use this Kafka, to which the flags for Kafka apply"
    )

    @model_validator(mode="after")
    def _check_brokers_given(self) -> SimulateSettings:
        given = self.model_fields_set & KafkaSettings.model_fields.keys() - {"verbose"}
        if self.brokers is None and given:
            flag = f"--{min(given).replace('_', '-')}"
            raise PydanticCustomError(
                "brokers", "{flag} needs --brokers; give it too", {"flag": flag}
            )
        return self
