"""Metrics over HTTP, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry, start_http_server

from events_schema.runtime.errors import AddressUnavailable

log = structlog.get_logger()


@contextmanager
def serving_metrics(registry: CollectorRegistry, host: str, port: int | None) -> Iterator[None]:
    """Serve `registry` at /metrics while the context is open, unless `port` is None.

    Raises `AddressUnavailable` if the address cannot be listened on.
    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise AddressUnavailable(
            f"--metrics-port: cannot listen on {host}:{port}: {error.strerror}; "
            f"give a free port and an address of this machine"
        ) from None
    address = f"[{host}]" if ":" in host else host
    log.info("metrics", url=f"http://{address}:{server.server_port}/metrics")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
