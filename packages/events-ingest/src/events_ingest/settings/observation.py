"""What shows how the collector is doing: metrics, the access log and the demo page."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from events_schema.runtime.command import CommandSettings, Flag
from events_schema.runtime.flags import Port, matching

StatsUrl = Annotated[
    str,
    matching(
        r"https?://([\w.\-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?(/[\w./\-]*)?",
        "the address of the numbers, such as http://127.0.0.1:8001/stats",
    ),
    Flag("URL"),
]


class LogSettings(CommandSettings):
    """What is measured and logged."""

    flag_group: ClassVar[str | None] = "metrics and logs"

    metrics_port: Annotated[Port | None, Flag(default="the port of --port")] = Field(
        default=None, description="the port that serves /metrics; 0 takes a free one"
    )
    access_log: Annotated[float, Flag("SHARE")] = Field(
        default=0.01, description="the share of requests to log, from 0 to 1", ge=0, le=1
    )
    log_clients: bool = Field(
        default=False, description="log the client's address and user agent with each request"
    )


class DemoSettings(CommandSettings):
    """The page that shows events on their way."""

    flag_group: ClassVar[str | None] = "demo page"

    demo: bool = Field(
        default=False, description="serve /demo, a page that shows what happens to its events"
    )
    demo_stats: StatsUrl | None = Field(
        default=None,
        description="where that page finds what is stored, as `simulate --keep` serves it",
    )
