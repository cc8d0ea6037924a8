"""The documented commands that run until a signal ends them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from signal import Signals


@dataclass(frozen=True)
class Server:
    """Commands that match `pattern` are ready once they have printed `ready`.

    Then `signal` ends them with exit code `code`: at once, or at the end of the page if other
    commands of the page need it.
    """

    pattern: str
    ready: str
    signal: Signals = Signals.SIGINT
    code: int = 0
    needed: bool = False


_HATCH_INTERRUPTED = 254
"""What hatch exits with after Ctrl-C, whatever its command exits with."""

COLLECTOR = Server(r"events-ingest serve\b", "broker reachable", Signals.SIGTERM)
STREAM = Server(r"events-stream run\b(?!.*--available-now)", '"batch stored"', Signals.SIGTERM)
SERVERS = (
    COLLECTOR,
    STREAM,
    Server(r"events-loadgen simulate\b.*--keep\b", "the line is running"),
    Server(r"\S*hatch run demo\b.*--keep\b", "the line is running", code=_HATCH_INTERRUPTED),
    Server(r"python -m http\.server\b", "Serving HTTP on"),
    Server(r"uvicorn\b", "Uvicorn running on", needed=True),
    Server(r"python consume\.py\b", "is not an event", code=-Signals.SIGINT),
)


def server(command: str) -> Server | None:
    """Return what kind of server a command is, if it is one."""
    if "--help" in command:
        return None
    return next((each for each in SERVERS if re.match(each.pattern, command)), None)
