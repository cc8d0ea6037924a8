"""Finds a free port."""

from __future__ import annotations

import secrets
import socket

_CANDIDATES = range(20_000, 32_768)
"""Below the ports that Linux uses for outgoing connections (32768 and up).

While a server with such a port is down, a client that retries can get that same port for its own
end of the connection. The server then cannot start again, because its address is taken.
"""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free now.

    Raises `OSError` if a hundred tries find none.
    """
    for _ in range(100):
        port = secrets.choice(_CANDIDATES)
        with socket.socket() as probe:
            # As servers do, so that a lingering connection of an earlier server does not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port found between 20000 and 32767")


def answers(port: int) -> bool:
    """Return whether something listens on `port` of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
