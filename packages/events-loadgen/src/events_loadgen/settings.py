"""The settings of `events-loadgen run` and `events-loadgen simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict
from yarl import URL

from events_schema.runtime.contract import ContractSettings

_ENVIRONMENT = SettingsConfigDict(env_prefix="EVENTS_LOADGEN_")
_SEED = Field(None, description="the same seed gives the same events (default: a new one)", ge=0)
_EVENTS = Field(10_000, description="how many events to post", ge=1)
_CONCURRENCY = Field(10, description="how many clients post at a time", ge=1, le=10_000)


def _check_url(value: str) -> str:
    try:
        url = URL(value)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise PydanticCustomError(
            "collector_url",
            "{url} is no address of a collector, such as http://127.0.0.1:8000",
            {"url": repr(value)},
        )
    return value


CollectorUrl = Annotated[str, AfterValidator(_check_url)]


class RunSettings(ContractSettings):
    """Post generated events to a collector and report what became of them.

    Ctrl-C stops sending, finishes what is in flight and shows the report so far.
    """

    model_config = _ENVIRONMENT

    url: CollectorUrl = Field("http://127.0.0.1:8000", description="the collector's address")
    token: str | None = Field(
        None,
        description="the key that the collector asks for, if any (shows in ps: see --token-file)",
        pattern=r"^[!-~]+$",
    )
    token_file: Path | None = Field(None, description="a file that holds the key")
    events: int = _EVENTS
    concurrency: int = _CONCURRENCY
    seed: int | None = _SEED
    think_time: float = Field(
        0.0, description="seconds that each client rests after an event", ge=0, le=86_400
    )
    give_up_after: float = Field(
        60.0, description="seconds for which an event is tried again", ge=0, le=86_400
    )


class SimulateSettings(ContractSettings):
    """Run the whole line on this machine: Kafka, collector, stream, load, aggregation, check."""

    model_config = _ENVIRONMENT

    events: int = _EVENTS
    concurrency: int = _CONCURRENCY
    seed: int | None = _SEED
    dir: Path | None = Field(
        None, description="a folder for all data and logs, new or empty (default: a temporary one)"
    )
    keep: bool = Field(
        False, description="leave the line running, aggregating every minute, until Ctrl-C"
    )
