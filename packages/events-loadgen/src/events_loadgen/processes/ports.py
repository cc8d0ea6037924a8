"""Finding a port to listen on."""

from __future__ import annotations

import secrets
import socket

_CANDIDATES = range(20_000, 32_768)
"""Below the ports that Linux gives to outgoing connections (32768 and up).

A client that keeps trying to reach such a port of a server that is down can be given that very
port for its own end, and then holds the server's address when it comes back.
"""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on now.

    Raises `OSError` where a hundred tries found none.
    """
    for _ in range(100):
        port = secrets.choice(_CANDIDATES)
        with socket.socket() as probe:
            # As servers do: a connection that lingers from an earlier server is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port found among 20000 to 32767")


def answers(port: int) -> bool:
    """Tell whether something listens on `port` of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
